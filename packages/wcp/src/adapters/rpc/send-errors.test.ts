import { describe, expect, it } from "vitest";
import type { SendOutcome } from "../../chain-ports.ts";
import { errorText } from "./revert-data.ts";
import { classifySendError } from "./send-errors.ts";

/**
 * What nodes say, by client, as their sources have it:
 *
 * geth        core/txpool/errors.go, core/txpool/validation.go, core/error.go, internal/ethapi/api.go
 * erigon      txnprovider/txpool/txpoolcfg/txpoolcfg.go (DiscardReason), with the gRPC status in front in old versions
 * nethermind  Nethermind.TxPool/AcceptTxResult.cs; before 2026 the name of the result, since then TxPoolErrorMessages.cs;
 *             Nethermind.Core/Messages/TxErrorMessages.cs for what makes a transaction malformed
 * besu        ethereum/api/.../jsonrpc/internal/response/RpcErrorType.java
 * reth        crates/rpc/rpc-eth-types/src/error/mod.rs (RpcPoolError, RpcInvalidTransactionError)
 * anvil       crates/anvil/src/eth/error.rs, and 1.7.1 itself
 * hardhat     edr: crates/edr_provider and edr_evm/src/mempool.rs (MemPoolAddTransactionError)
 * cosmos      ethermint app/ante, cometbft mempool/errors.go: what an EVM on CometBFT passes on
 * parity      the collection of Chainlink, core/chains/evm/client/errors_test.go, as for arbitrum, zksync, klaytn
 */
const SAYINGS: Readonly<
  Record<SendOutcome["kind"], readonly (readonly [client: string, message: string])[]>
> = {
  accepted: [
    ["geth", "already known"],
    ["geth 1.9", "known transaction: 7f657507aee0511e36d2d1972a6b22e917cc89f92b6c12c4dbd57eaabb236960"],
    ["erigon", "already known"],
    ["erigon", "ALREADY_EXISTS: already known"],
    ["erigon", "INTERNAL_ERROR: existing tx with same hash"],
    ["erigon 3", "existing txn with same hash"],
    ["nethermind", "AlreadyKnown"],
    ["nethermind", "call failed: AlreadyKnown"],
    ["nethermind 2026", "already known"],
    ["besu", "Known transaction"],
    ["reth", "already known"],
    ["anvil", "transaction already imported"],
    [
      "anvil 0.2",
      "Tx: [0x7f657507aee0511e36d2d1972a6b22e917cc89f92b6c12c4dbd57eaabb236960] already Imported",
    ],
    ["hardhat", "Known transaction: 0x7f657507aee0511e36d2d1972a6b22e917cc89f92b6c12c4dbd57eaabb236960"],
    ["cosmos", "tx already exists in cache"],
    ["cosmos", "tx already in mempool"],
    ["parity", "Transaction with the same hash was already imported."],
    ["zksync", "known transaction. transaction with hash 0x6013…3053 is already in the system"],
  ],
  nonce_too_low: [
    ["geth", "nonce too low: next nonce 8090, tx nonce 8089"],
    ["geth", "nonce too low: address 0x336394A3219e71D9d9bd18201d34E95C1Bb7122C, tx: 8089 state: 8090"],
    ["erigon", "nonce too low"],
    ["erigon", "INTERNAL_ERROR: nonce too low"],
    ["nethermind", "OldNonce"],
    ["nethermind", "OldNonce, Current nonce: 22, nonce of rejected tx: 17"],
    ["nethermind 2026", "nonce too low"],
    ["besu", "Nonce too low"],
    ["reth", "nonce too low: next nonce 5, tx nonce 4"],
    ["anvil", "nonce too low"],
    ["hardhat", "Transaction nonce too low. Expected nonce to be at least 1 but got 0."],
    [
      "hardhat",
      "Nonce too low. Expected nonce to be 1 but got 0. Note that transactions can't be queued when automining.",
    ],
    ["cosmos", "invalid nonce; got 5, expected 7: invalid sequence: invalid sequence"],
    ["cosmos", "invalid nonce; got 286, expected 288: tx nonce is lower than account nonce"],
    ["parity", "Transaction nonce is too low. Try incrementing the nonce."],
    ["zksync", "nonce too low. allowed nonce range: 427 - 447, actual: 426"],
  ],
  underpriced: [
    ["geth", "transaction underpriced: gas tip cap 1, minimum needed 1000000"],
    [
      "geth",
      "max fee per gas less than block base fee: address 0x336394A3219e71D9d9bd18201d34E95C1Bb7122C, maxFeePerGas: 1, baseFee: 7",
    ],
    ["op-stack's sequencer", "transaction underpriced: tip needed 1000000, tip permitted 1"],
    ["erigon", "underpriced"],
    ["erigon", "fee too low"],
    ["nethermind", "FeeTooLow"],
    [
      "nethermind",
      "FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 50, BaseFee: 100, MaxPriorityFeePerGas:200, Block number: 5",
    ],
    ["nethermind", "FeeTooLowToCompete"],
    ["besu", "Gas price below configured minimum gas price"],
    ["besu", "Gas price below current base fee"],
    ["reth", "transaction underpriced"],
    ["reth", "max fee per gas less than block base fee"],
    ["reth", "transaction feeCap 6 below chain minimum"],
    ["reth", "transaction priority fee below minimum required priority fee 1000000"],
    ["anvil", "max fee per gas less than block base fee"],
    [
      "hardhat",
      "Transaction maxFeePerGas (1) is too low for the next block, which has a baseFeePerGas of 875000000",
    ],
    ["cosmos", "insufficient fees; got: 10aevmos required: 20aevmos: insufficient fee"],
    [
      "cosmos",
      "provided fee < minimum global fee (10 < 20). Please increase the priority tip (for EIP-1559 txs) or the gas prices (for access list or legacy txs): insufficient fee",
    ],
    [
      "parity",
      "Transaction gas price is too low. It does not satisfy your node's minimal gas price (minimal: 100 got: 50). Try increasing the gas price.",
    ],
    ["arbitrum", "gas price too low"],
    [
      "arbitrum",
      "max fee per gas less than block base fee: address 0x3363…122C, maxFeePerGas: 1 baseFee: 10000000",
    ],
  ],
  replacement_underpriced: [
    ["geth", "replacement transaction underpriced"],
    [
      "geth",
      "replacement transaction underpriced: new tx gas fee cap 100 < 110 queued + 10% replacement penalty",
    ],
    ["erigon", "could not replace existing tx"],
    ["erigon", "INTERNAL_ERROR: could not replace existing tx"],
    ["erigon 3", "replacement transaction underpriced"],
    ["nethermind", "ReplacementNotAllowed"],
    ["nethermind 2026", "replacement transaction underpriced, fee bump is too low"],
    ["besu", "Replacement transaction underpriced"],
    ["reth", "replacement transaction underpriced"],
    ["reth", "insufficient gas price to replace existing transaction"],
    ["anvil", "replacement transaction underpriced"],
    [
      "anvil 0.2",
      "Tx: [0x7f657507aee0511e36d2d1972a6b22e917cc89f92b6c12c4dbd57eaabb236960] insufficient gas price to replace existing transaction",
    ],
    [
      "hardhat",
      "Replacement transaction underpriced. A gasPrice/maxFeePerGas of at least 2200000000 is necessary to replace the existing transaction with nonce 4.",
    ],
    [
      "parity",
      "Transaction gas price 100wei is too low. There is another transaction with same nonce in the queue with gas price 150wei. Try increasing the gas price or incrementing the nonce.",
    ],
    ["conflux", "Tx with same nonce already inserted. To replace it, you need to specify a gas price > 20"],
    ["infura", "replacement transaction underpriced"],
    ["quicknode", "replacement transaction underpriced"],
  ],
  in_flight_limit: [
    ["geth", "in-flight transaction limit reached for delegated accounts"],
    ["geth", "gapped-nonce tx from delegated accounts"],
    ["geth", "authority already reserved"],
    ["base", "gapped-nonce tx from delegated accounts"],
    ["alchemy", "gapped-nonce tx from delegated accounts is temporarily not allowed"],
    ["reth", "in-flight transaction limit reached for delegated accounts"],
    ["erigon 3", "EIP-7702 transaction with authority already reserved"],
    ["nethermind", "NotCurrentNonceForDelegation"],
    ["nethermind", "DelegatorHasPendingTx"],
    ["nethermind 2026", "delegation nonce gap"],
    ["nethermind 2026", "delegation authority has pending transaction"],
  ],
  nonce_too_high: [
    ["geth", "nonce too high"],
    ["arbitrum", "nonce too high: address 0x336394A3219e71D9d9bd18201d34E95C1Bb7122C, tx: 7 state: 5"],
    ["nethermind", "NonceGap, Future nonce. Expected nonce: 10"],
    ["nethermind 2026", "nonce too high"],
    ["nethermind 2026", "nonce too far in future"],
    ["besu", "Nonce too high"],
    ["besu", "Transaction nonce is too distant from current sender nonce"],
    ["reth", "nonce too high"],
    [
      "hardhat",
      "Nonce too high. Expected nonce to be 0 but got 5. Note that transactions can't be queued when automining.",
    ],
    ["cosmos", "invalid nonce; got 7, expected 5: invalid sequence: invalid sequence"],
    ["zksync", "nonce too high. allowed nonce range: 427 - 447, actual: 527"],
  ],
  never_valid: [
    ["geth", "exceeds block gas limit"],
    ["geth", "intrinsic gas too low: gas 100, minimum needed 21000"],
    ["geth", "insufficient gas for floor data gas cost: gas 21500, minimum needed 25000"],
    ["geth", "transaction gas limit too high (cap: 16777216, tx: 21000000)"],
    ["infura", "transaction gas limit too high (cap: 16777216, tx: 21000000)"],
    ["geth", "oversized data: transaction size 131073, limit 131072"],
    ["geth", "max initcode size exceeded: code size 49153, limit 49152"],
    ["geth", "transaction type not supported: tx type 4 not supported by this pool"],
    ["geth", "transaction type not supported"],
    ["geth", "invalid chain id for signer: have 1 want 11155111"],
    ["geth", "only replay-protected (EIP-155) transactions allowed over RPC"],
    ["geth", "max priority fee per gas higher than max fee per gas"],
    ["geth", "max fee per gas higher than 2^256-1"],
    ["geth", "invalid sender"],
    ["geth", "sender not an eoa"],
    ["geth", "gas uint64 overflow"],
    ["geth", "rlp: value size exceeds available input length"],
    ["geth", "typed transaction too short"],
    ["geth", "authority nonce too low"],
    ["geth", "EIP-7702 transaction with empty auth list"],
    ["geth", "set code tx must have at least one authorization tuple"],
    ["erigon 3", "IntrinsicGas"],
    ["erigon 3", "RLPTooLong"],
    ["erigon 3", "gas limit is too high"],
    ["erigon 3", "initcode too large"],
    ["erigon 3", "fork supporting this transaction type is not activated yet"],
    ["erigon 3", "EIP-7702 transactions with an empty authorization list are invalid"],
    ["nethermind", "GasLimitExceeded"],
    ["nethermind", "Invalid, InvalidTxChainId: Expected 1, got 5."],
    ["nethermind", "Invalid, TxGasLimitCapExceeded: Gas limit 21000000 exceeded cap of 16777216."],
    ["nethermind", "MaxTxSizeExceeded, Transaction size exceeds"],
    ["nethermind", "NotSupportedTxType"],
    ["nethermind 2026", "gas limit reached"],
    ["nethermind 2026", "transaction invalid, intrinsic gas too low"],
    ["nethermind 2026", "unsupported transaction type"],
    ["nethermind 2026", "transaction too large"],
    ["besu", "Intrinsic gas exceeds gas limit"],
    ["besu", "Transaction gas limit exceeds block gas limit"],
    ["besu", "Invalid transaction type"],
    ["besu", "Wrong chainId"],
    ["besu", "ChainId not supported"],
    ["besu", "ChainId is required"],
    ["besu", "Invalid signature"],
    ["besu", "Max priority fee per gas exceeds max fee per gas"],
    ["reth", "intrinsic gas too low"],
    ["reth", "transaction's gas limit 40000000 exceeds block's gas limit 36000000"],
    ["reth", "input data too large"],
    ["reth", "transaction's size 49153 exceeds max_init_code_size 49152"],
    ["reth", "invalid chain ID"],
    ["reth", "EIP-7702 authorization list not supported"],
    ["reth", "no items in authorization list for EIP7702 transaction"],
    ["reth", "gas limit too high"],
    ["revm", "transaction gas limit (30000000) is greater than the cap (16777216)"],
    ["anvil", "intrinsic gas too low"],
    ["anvil", "intrinsic gas too high -- tx.gas_limit > env.block.gas_limit"],
    ["anvil", "invalid chain id for signer"],
    ["anvil", "Failed to decode transaction"],
    [
      "anvil before prague",
      "EIP-7702 fields received but is not supported by the current hardfork.\n\nYou can use it by running anvil with '--hardfork prague' or later.",
    ],
    [
      "anvil before london",
      "EIP-1559 style fee params (maxFeePerGas or maxPriorityFeePerGas) received but they are not supported by the current hardfork.\n\nYou can use them by running anvil with '--hardfork london' or later.",
    ],
    ["hardhat", "Transaction gas limit is 100000000 and exceeds block gas limit of 30000000"],
    ["hardhat", "Transaction gas limit is 16777217 and exceeds transaction gas cap of 16777216"],
    ["hardhat", "Transaction requires at least 21000 gas but got 20000"],
    ["hardhat", "Trying to send an incompatible EIP-155 transaction, signed for another chain."],
    ["cosmos", "tx gas (40000000) exceeds block gas limit (30000000): out of gas"],
    [
      "parity",
      "Transaction gas is too low. There is not enough gas to cover minimal cost of the transaction (minimal: 100, got: 50). Try increasing supplied gas.",
    ],
    [
      "parity",
      "Transaction cost exceeds current gas limit. Limit: 100, got: 200. Try decreasing supplied gas.",
    ],
  ],
  insufficient_funds: [
    [
      "geth",
      "insufficient funds for gas * price + value: address 0xb68D832c1241bc50db1CF09e96c0F4201D5539C9 have 9934612900000000 want 9936662900000000",
    ],
    [
      "geth",
      "insufficient funds for gas * price + value: balance 0, tx cost 21000000000000, overshot 21000000000000",
    ],
    ["geth", "insufficient funds for transfer"],
    ["geth", "transaction would cause overdraft"],
    ["erigon", "insufficient funds"],
    [
      "nethermind",
      "InsufficientFunds, Account balance: 4740799397601480913, cumulative cost: 22019342038993800000",
    ],
    ["nethermind 2026", "insufficient funds for gas * price + value"],
    ["besu", "Upfront cost exceeds account balance"],
    ["reth", "insufficient funds for gas * price + value: have 0 want 21000000000000"],
    ["anvil", "Insufficient funds for gas * price + value"],
    [
      "hardhat",
      "Sender doesn't have enough funds to send tx. The max upfront cost is: 105000000000000 and the sender's balance is: 0.",
    ],
    ["cosmos", "sender balance < tx cost (0 < 21000000000000): insufficient funds"],
    [
      "parity",
      "Insufficient funds. The account you tried to send transaction from does not have enough funds. Required 200.50 and got: 100.25.",
    ],
    ["arbitrum", "not enough funds for gas"],
  ],
  // Whatever is none of these may have been taken, or may be later: the bytes are sent again.
  unknown: [
    ["geth", "txpool is full"],
    ["geth", "account limit exceeded: pooled 64 txs"],
    ["geth", "tx fee (1.20 ether) exceeds the configured cap (1.00 ether)"],
    ["geth", "future transaction tries to replace pending"],
    ["geth", "address already reserved"],
    ["erigon", "pending sub-pool is full"],
    ["erigon", "spammer"],
    ["nethermind 2026", "node is syncing"],
    ["besu", "Transaction fee cap exceeded"],
    ["besu", "An invalid transaction with a lower nonce exists"],
    ["besu", "Sender account not authorized to send transactions"],
    ["reth", "transaction discarded outright due to pool size constraints"],
    ["cosmos", "mempool is full: number of txs 5000 (max: 5000), total txs bytes 1048576 (max: 1073741824)"],
    [
      "parity",
      "There are too many transactions in the queue. Your transaction was dropped due to limit. Try increasing the fee.",
    ],
    ["alchemy", "Your app has exceeded its compute units per second capacity."],
    ["a gateway", "rate limit exceeded"],
    ["a gateway", "the method eth_sendRawTransaction does not exist/is not available"],
    ["a gateway", "Internal error"],
    ["a gateway", ""],
  ],
};

describe("what a node says to a transaction", () => {
  for (const [kind, sayings] of Object.entries(SAYINGS)) {
    it.each(sayings)(`is ${kind} when %s says "%s"`, (_client, message) => {
      expect(classifySendError(message).kind).toBe(kind);
    });
  }

  it("is kept word for word where somebody may have to read it", () => {
    expect(classifySendError("txpool is full")).toEqual({ kind: "unknown", message: "txpool is full" });
    expect(classifySendError("already known")).toEqual({ kind: "accepted" });
  });

  it("counts also where it stands beside an empty message", () => {
    const text = errorText({ message: "Internal error", data: "tx already exists in cache" });
    expect(classifySendError(text)).toEqual({ kind: "accepted" });
    const nested = errorText({
      message: "Internal JSON-RPC error.",
      data: { code: -32000, message: "nonce too low" },
    });
    expect(classifySendError(nested)).toEqual({ kind: "nonce_too_low" });
    expect(errorText({ message: "no", data: undefined })).toBe("no");
    expect(errorText({ message: "no", data: null })).toBe("no");
  });
});
