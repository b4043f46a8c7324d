import { describe, expect, it } from "vitest";
import type { SendOutcome } from "../../ports.ts";
import { classifySendError, errorText, isTemporaryError, revertData } from "./classify.ts";

/**
 * What nodes say, by client, as their sources have it:
 *
 * geth        core/txpool/errors.go, core/txpool/validation.go, core/error.go, internal/ethapi/api.go
 * erigon      txnprovider/txpool/txpoolcfg/txpoolcfg.go (DiscardReason), with the gRPC status in front in old versions
 * nethermind  Nethermind.TxPool/AcceptTxResult.cs; before 2026 the name of the result, since then TxPoolErrorMessages.cs
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
    ["geth", "replacement transaction underpriced"],
    [
      "geth",
      "max fee per gas less than block base fee: address 0x336394A3219e71D9d9bd18201d34E95C1Bb7122C, maxFeePerGas: 1, baseFee: 7",
    ],
    ["erigon", "underpriced"],
    ["erigon", "fee too low"],
    ["erigon", "could not replace existing tx"],
    ["nethermind", "FeeTooLow"],
    [
      "nethermind",
      "FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 50, BaseFee: 100, MaxPriorityFeePerGas:200, Block number: 5",
    ],
    ["nethermind", "FeeTooLowToCompete"],
    ["nethermind", "ReplacementNotAllowed"],
    ["nethermind 2026", "replacement transaction underpriced, fee bump is too low"],
    ["besu", "Gas price below configured minimum gas price"],
    ["besu", "Gas price below current base fee"],
    ["besu", "Replacement transaction underpriced"],
    ["reth", "transaction underpriced"],
    ["reth", "max fee per gas less than block base fee"],
    ["anvil", "replacement transaction underpriced"],
    [
      "anvil 0.2",
      "Tx: [0x7f657507aee0511e36d2d1972a6b22e917cc89f92b6c12c4dbd57eaabb236960] insufficient gas price to replace existing transaction",
    ],
    ["anvil", "max fee per gas less than block base fee"],
    [
      "hardhat",
      "Replacement transaction underpriced. A gasPrice/maxFeePerGas of at least 2200000000 is necessary to replace the existing transaction with nonce 4.",
    ],
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
    [
      "parity",
      "Transaction gas price 100wei is too low. There is another transaction with same nonce in the queue with gas price 150wei. Try increasing the gas price or incrementing the nonce.",
    ],
    ["arbitrum", "gas price too low"],
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
    ["geth", "nonce too high"],
    ["geth", "txpool is full"],
    ["geth", "exceeds block gas limit"],
    ["geth", "intrinsic gas too low: gas 100, minimum needed 21000"],
    ["geth", "tx fee (1.10 ether) exceeds the configured cap (1.00 ether)"],
    ["geth", "in-flight transaction limit reached for delegated accounts"],
    ["geth", "future transaction tries to replace pending"],
    ["geth", "max priority fee per gas higher than max fee per gas"],
    ["geth", "invalid sender"],
    ["geth", "transaction type not supported"],
    ["erigon", "pending sub-pool is full"],
    ["nethermind", "NonceGap, Future nonce. Expected nonce: 10"],
    ["nethermind 2026", "node is syncing"],
    ["besu", "Transaction fee cap exceeded"],
    ["besu", "Nonce too high"],
    ["besu", "Intrinsic gas exceeds gas limit"],
    ["reth", "sender's nonce is too high"],
    ["anvil", "Unknown transaction type not supported"],
    ["anvil", "intrinsic gas too high -- tx.gas_limit > env.block.gas_limit"],
    ["hardhat", "Transaction gas limit is 100000000 and exceeds block gas limit of 30000000"],
    ["cosmos", "invalid nonce; got 7, expected 5: invalid sequence: invalid sequence"],
    ["cosmos", "mempool is full: number of txs 5000 (max: 5000), total txs bytes 1048576 (max: 1073741824)"],
    [
      "parity",
      "There are too many transactions in the queue. Your transaction was dropped due to limit. Try increasing the fee.",
    ],
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

const DATA = "0x3f11087b0000000000000000000000000000000000000000000000000000000000000009";

describe("the data of a revert", () => {
  it.each<readonly [string, string, unknown]>([
    ["geth, reth, erigon, anvil", "execution reverted", DATA],
    ["geth with a reason", "execution reverted: nope", DATA],
    ["besu", "Execution reverted", DATA],
    ["nethermind and parity", "VM execution error.", `Reverted ${DATA}`],
    [
      "hardhat",
      "Error: VM Exception while processing transaction: reverted with an unrecognized custom error",
      { message: "reverted", data: DATA },
    ],
    [
      "ganache 7",
      "VM Exception while processing transaction: revert",
      { hash: null, programCounter: 12, result: DATA, message: "revert" },
    ],
    [
      "ganache 6",
      "VM Exception while processing transaction: revert",
      { [`0x${"ab".repeat(32)}`]: { error: "revert", return: DATA }, stack: "...", name: "RuntimeError" },
    ],
    ["a wallet's proxy", "Internal JSON-RPC error.", { code: 3, message: "execution reverted", data: DATA }],
    [
      "a proxy's proxy",
      "Internal JSON-RPC error.",
      { originalError: { code: 3, data: DATA, message: "execution reverted" } },
    ],
  ])("is found where %s puts it", (_client, message, data) => {
    expect(revertData(message, data)).toBe(DATA);
  });

  it.each<readonly [string, string, unknown]>([
    ["geth without data", "execution reverted", undefined],
    ["anvil without data", "execution reverted", "0x"],
    ["nethermind", "VM execution error.", "revert"],
    ["parity", "VM execution error.", "Bad instruction fe"],
    ["geth", "invalid opcode: INVALID", undefined],
    ["geth", "out of gas", undefined],
  ])("is empty, and a revert all the same, when %s says no more than that", (_client, message, data) => {
    expect(revertData(message, data)).toBe("0x");
  });

  it.each<readonly [string, unknown]>([
    ["header not found", undefined],
    ["method not found", undefined],
    ["rate limit exceeded", { see: "https://provider.example/limits" }],
    ["invalid argument 0: hex string has length 3, want 40", undefined],
    ["internal error", "0xnot hex"],
    ["internal error", null],
    ["internal error", 7],
    ["internal error", []],
  ])("is not there in %s", (message, data) => {
    expect(revertData(message, data)).toBeUndefined();
  });
});

describe("an error that passes by itself", () => {
  it.each<readonly [string, number, string]>([
    ["alchemy", 429, "Your app has exceeded its compute units per second capacity."],
    ["infura", -32005, "daily request count exceeded, request rate limited"],
    [
      "quicknode",
      -32007,
      "50/second request limit reached - reduce calls per second or upgrade your account",
    ],
    ["ankr", -32090, "Too many requests, reason: call rate limit exhausted"],
    ["geth behind a balancer", -32000, "header not found"],
    ["geth", -32002, "request timed out"],
    ["erigon", -32000, "missing trie node 0xabc (path )"],
    ["nethermind", -32000, "node is syncing"],
    ["a gateway", -32603, "service temporarily unavailable"],
  ])("is one of %s (%i)", (_source, code, message) => {
    expect(isTemporaryError({ code, message, data: undefined })).toBe(true);
  });

  it.each<readonly [string, number, string, unknown]>([
    [
      "a method that is not there",
      -32601,
      "the method eth_foo does not exist/is not available here",
      undefined,
    ],
    ["a bad parameter", -32602, "invalid argument 0: json: cannot unmarshal", undefined],
    ["a revert that asks to try again later", 3, "execution reverted: rate limit, try again later", DATA],
    ["a revert without data that does", -32000, "execution reverted: try again", undefined],
  ])("is not %s", (...[, code, message, data]) => {
    expect(isTemporaryError({ code, message, data })).toBe(false);
  });
});
