// Made by scripts/compile.ts from solidity/BatchExecutor.sol. Do not edit.

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
    "inputs": [],
    "name": "MAX_REASON_BYTES",
    "outputs": [
      {
        "internalType": "uint256",
        "name": "",
        "type": "uint256"
      }
    ],
    "stateMutability": "view",
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
export const batchExecutorBytecode = "0x6080604052348015600e575f5ffd5b506108608061001c5f395ff3fe608060405260043610610036575f3560e01c80631624f9f7146100415780633cefc40414610076578063b873978c14610099575f5ffd5b3661003d57005b5f5ffd5b34801561004c575f5ffd5b5061006061005b3660046104e5565b6100ba565b60405161006d91906105a2565b60405180910390f35b348015610081575f5ffd5b5061008b61010081565b60405190815260200161006d565b3480156100a4575f5ffd5b506100b86100b33660046104e5565b610225565b005b6060333014610102576040517f4a2e7cd20000000000000000000000000000000000000000000000000000000081523360048201523060248201526044015b60405180910390fd5b8167ffffffffffffffff81111561011b5761011b610650565b60405190808252806020026020018201604052801561016757816020015b60408051606080820183525f8083526020830152918101919091528152602001906001900390816101395790505b5090505f5b8281101561021e575f5f6101a38387878681811061018c5761018c61067d565b905060200281019061019e91906106aa565b61031c565b915091505f826101bd576101b86101006103ff565b6101cd565b60405180602001604052805f8152505b9050604051806060016040528084151581526020018367ffffffffffffffff168152602001828152508585815181106102085761020861067d565b602090810291909101015250505060010161016c565b5092915050565b333014610266576040517f4a2e7cd20000000000000000000000000000000000000000000000000000000081523360048201523060248201526044016100f9565b5f5b818110156102e4575f5f6102888386868681811061018c5761018c61067d565b91509150816102da576102da838686868181106102a7576102a761067d565b90506020028101906102b991906106aa565b6102ca9060408101906020016106e6565b67ffffffffffffffff1683610460565b5050600101610268565b506040518181527fe9cc9bbe7de1cbb097a6357ca3182909488efe8d793e25665befc064a02d10a79060200160405180910390a15050565b5f808061032c6020850185610714565b90505f61033f60408601602087016106e6565b67ffffffffffffffff169050365f61035a6040880188610747565b6040519193509150818382375f5a90505f6114b4610379603f886107dc565b6103839088610814565b61038d9190610814565b9050808210156103da576040517f6bb97e8c000000000000000000000000000000000000000000000000000000008152600481018c905260248101839052604481018290526064016100f9565b5f5f85855f8b8bf198505a6103ef908361082d565b9750505050505050509250929050565b60603d8281111561040d5750815b8067ffffffffffffffff81111561042657610426610650565b6040519080825280601f01601f191660200182016040528015610450576020820181803683370190505b509150805f602084013e50919050565b5f81831161046e575f610484565b600a61047a838561082d565b61048491906107dc565b90505f6104a1610100831061049b576101006103ff565b826103ff565b90507f5c0dee5d32a1e145396705da49c1e64a2b1d63387f78c2697100f655567f5de985826040516104d4929190610840565b60405180910390a160405250505050565b5f5f602083850312156104f6575f5ffd5b823567ffffffffffffffff81111561050c575f5ffd5b8301601f8101851361051c575f5ffd5b803567ffffffffffffffff811115610532575f5ffd5b8560208260051b8401011115610546575f5ffd5b6020919091019590945092505050565b5f81518084528060208401602086015e5f6020828601015260207fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe0601f83011685010191505092915050565b5f602082016020835280845180835260408501915060408160051b8601019250602086015f5b82811015610644577fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffc0878603018452815180511515865267ffffffffffffffff6020820151166020870152604081015190506060604087015261062e6060870182610556565b95505060209384019391909101906001016105c8565b50929695505050505050565b7f4e487b71000000000000000000000000000000000000000000000000000000005f52604160045260245ffd5b7f4e487b71000000000000000000000000000000000000000000000000000000005f52603260045260245ffd5b5f82357fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa18336030181126106dc575f5ffd5b9190910192915050565b5f602082840312156106f6575f5ffd5b813567ffffffffffffffff8116811461070d575f5ffd5b9392505050565b5f60208284031215610724575f5ffd5b813573ffffffffffffffffffffffffffffffffffffffff8116811461070d575f5ffd5b5f5f83357fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe184360301811261077a575f5ffd5b83018035915067ffffffffffffffff821115610794575f5ffd5b6020019150368190038213156107a8575f5ffd5b9250929050565b7f4e487b71000000000000000000000000000000000000000000000000000000005f52601160045260245ffd5b5f8261080f577f4e487b71000000000000000000000000000000000000000000000000000000005f52601260045260245ffd5b500490565b80820180821115610827576108276107af565b92915050565b81810381811115610827576108276107af565b828152604060208201525f6108586040830184610556565b94935050505056" as const;
