// Made by scripts/compile.ts from solidity/BatchExecutor.sol. Do not edit.

/** ABI of BatchExecutor, as the compiler has it. */
export const batchExecutorAbi = [
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "caller",
        "type": "address"
      },
      {
        "internalType": "address",
        "name": "wallet",
        "type": "address"
      }
    ],
    "name": "NotTheWallet",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "uint256",
        "name": "index",
        "type": "uint256"
      },
      {
        "internalType": "uint256",
        "name": "gasLeft",
        "type": "uint256"
      },
      {
        "internalType": "uint256",
        "name": "gasNeeded",
        "type": "uint256"
      }
    ],
    "name": "TooLittleGas",
    "type": "error"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": false,
        "internalType": "uint256",
        "name": "calls",
        "type": "uint256"
      }
    ],
    "name": "BatchExecuted",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": false,
        "internalType": "uint256",
        "name": "index",
        "type": "uint256"
      },
      {
        "indexed": false,
        "internalType": "bytes",
        "name": "reason",
        "type": "bytes"
      }
    ],
    "name": "CallFailed",
    "type": "event"
  },
  {
    "inputs": [
      {
        "components": [
          {
            "internalType": "address",
            "name": "to",
            "type": "address"
          },
          {
            "internalType": "uint64",
            "name": "gas",
            "type": "uint64"
          },
          {
            "internalType": "bytes",
            "name": "data",
            "type": "bytes"
          }
        ],
        "internalType": "struct BatchExecutor.Call[]",
        "name": "calls",
        "type": "tuple[]"
      }
    ],
    "name": "execute",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "components": [
          {
            "internalType": "address",
            "name": "to",
            "type": "address"
          },
          {
            "internalType": "uint64",
            "name": "gas",
            "type": "uint64"
          },
          {
            "internalType": "bytes",
            "name": "data",
            "type": "bytes"
          }
        ],
        "internalType": "struct BatchExecutor.Call[]",
        "name": "calls",
        "type": "tuple[]"
      }
    ],
    "name": "simulate",
    "outputs": [
      {
        "components": [
          {
            "internalType": "bool",
            "name": "success",
            "type": "bool"
          },
          {
            "internalType": "uint64",
            "name": "gasUsed",
            "type": "uint64"
          },
          {
            "internalType": "bytes",
            "name": "reason",
            "type": "bytes"
          }
        ],
        "internalType": "struct BatchExecutor.Result[]",
        "name": "results",
        "type": "tuple[]"
      }
    ],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "stateMutability": "payable",
    "type": "receive"
  }
] as const;

/** Creation code, without constructor arguments. */
export const batchExecutorBytecode = "0x6080604052348015600e575f5ffd5b506107eb8061001c5f395ff3fe60806040526004361061002b575f3560e01c80631624f9f714610036578063b873978c1461006b575f5ffd5b3661003257005b5f5ffd5b348015610041575f5ffd5b5061005561005036600461048b565b61008c565b6040516100629190610548565b60405180910390f35b348015610076575f5ffd5b5061008a61008536600461048b565b6101f7565b005b60603330146100d4576040517f4a2e7cd20000000000000000000000000000000000000000000000000000000081523360048201523060248201526044015b60405180910390fd5b8167ffffffffffffffff8111156100ed576100ed6105f6565b60405190808252806020026020018201604052801561013957816020015b60408051606080820183525f80835260208301529181019190915281526020019060019003908161010b5790505b5090505f5b828110156101f0575f5f6101758387878681811061015e5761015e610623565b90506020028101906101709190610650565b6102e5565b915091505f8261018f5761018a6101006103a5565b61019f565b60405180602001604052805f8152505b9050604051806060016040528084151581526020018367ffffffffffffffff168152602001828152508585815181106101da576101da610623565b602090810291909101015250505060010161013e565b5092915050565b333014610238576040517f4a2e7cd20000000000000000000000000000000000000000000000000000000081523360048201523060248201526044016100cb565b5f5b818110156102ad573683838381811061025557610255610623565b90506020028101906102679190610650565b90505f5f61027584846102e5565b91509150816102a2576102a284610292604086016020870161068c565b67ffffffffffffffff1683610406565b50505060010161023a565b506040518181527fe9cc9bbe7de1cbb097a6357ca3182909488efe8d793e25665befc064a02d10a79060200160405180910390a15050565b5f80806102f560208501856106ba565b90505f610308604086016020870161068c565b67ffffffffffffffff169050365f61032360408801886106ed565b604051919350915081838237603f840484016114b4015f5a905081811015610388576040517f6bb97e8c000000000000000000000000000000000000000000000000000000008152600481018c905260248101829052604481018390526064016100cb565b5f5f85855f8b8bf198505a81039750505050505050509250929050565b60603d828111156103b35750815b8067ffffffffffffffff8111156103cc576103cc6105f6565b6040519080825280601f01601f1916602001820160405280156103f6576020820181803683370190505b509150805f602084013e50919050565b5f818311610414575f61042a565b600a6104208385610755565b61042a9190610793565b90505f6104476101008310610441576101006103a5565b826103a5565b90507f5c0dee5d32a1e145396705da49c1e64a2b1d63387f78c2697100f655567f5de9858260405161047a9291906107cb565b60405180910390a160405250505050565b5f5f6020838503121561049c575f5ffd5b823567ffffffffffffffff8111156104b2575f5ffd5b8301601f810185136104c2575f5ffd5b803567ffffffffffffffff8111156104d8575f5ffd5b8560208260051b84010111156104ec575f5ffd5b6020919091019590945092505050565b5f81518084528060208401602086015e5f6020828601015260207fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe0601f83011685010191505092915050565b5f602082016020835280845180835260408501915060408160051b8601019250602086015f5b828110156105ea577fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffc0878603018452815180511515865267ffffffffffffffff602082015116602087015260408101519050606060408701526105d460608701826104fc565b955050602093840193919091019060010161056e565b50929695505050505050565b7f4e487b71000000000000000000000000000000000000000000000000000000005f52604160045260245ffd5b7f4e487b71000000000000000000000000000000000000000000000000000000005f52603260045260245ffd5b5f82357fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa1833603018112610682575f5ffd5b9190910192915050565b5f6020828403121561069c575f5ffd5b813567ffffffffffffffff811681146106b3575f5ffd5b9392505050565b5f602082840312156106ca575f5ffd5b813573ffffffffffffffffffffffffffffffffffffffff811681146106b3575f5ffd5b5f5f83357fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe1843603018112610720575f5ffd5b83018035915067ffffffffffffffff82111561073a575f5ffd5b60200191503681900382131561074e575f5ffd5b9250929050565b8181038181111561078d577f4e487b71000000000000000000000000000000000000000000000000000000005f52601160045260245ffd5b92915050565b5f826107c6577f4e487b71000000000000000000000000000000000000000000000000000000005f52601260045260245ffd5b500490565b828152604060208201525f6107e360408301846104fc565b94935050505056" as const;
