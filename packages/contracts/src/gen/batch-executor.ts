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
export const batchExecutorBytecode = "0x6080604052348015600e575f5ffd5b506108198061001c5f395ff3fe608060405260043610610036575f3560e01c80631624f9f7146100415780633cefc40414610076578063b873978c14610099575f5ffd5b3661003d57005b5f5ffd5b34801561004c575f5ffd5b5061006061005b3660046104b9565b6100ba565b60405161006d9190610576565b60405180910390f35b348015610081575f5ffd5b5061008b61010081565b60405190815260200161006d565b3480156100a4575f5ffd5b506100b86100b33660046104b9565b610225565b005b6060333014610102576040517f4a2e7cd20000000000000000000000000000000000000000000000000000000081523360048201523060248201526044015b60405180910390fd5b8167ffffffffffffffff81111561011b5761011b610624565b60405190808252806020026020018201604052801561016757816020015b60408051606080820183525f8083526020830152918101919091528152602001906001900390816101395790505b5090505f5b8281101561021e575f5f6101a38387878681811061018c5761018c610651565b905060200281019061019e919061067e565b610313565b915091505f826101bd576101b86101006103d3565b6101cd565b60405180602001604052805f8152505b9050604051806060016040528084151581526020018367ffffffffffffffff1681526020018281525085858151811061020857610208610651565b602090810291909101015250505060010161016c565b5092915050565b333014610266576040517f4a2e7cd20000000000000000000000000000000000000000000000000000000081523360048201523060248201526044016100f9565b5f5b818110156102db573683838381811061028357610283610651565b9050602002810190610295919061067e565b90505f5f6102a38484610313565b91509150816102d0576102d0846102c060408601602087016106ba565b67ffffffffffffffff1683610434565b505050600101610268565b506040518181527fe9cc9bbe7de1cbb097a6357ca3182909488efe8d793e25665befc064a02d10a79060200160405180910390a15050565b5f808061032360208501856106e8565b90505f61033660408601602087016106ba565b67ffffffffffffffff169050365f610351604088018861071b565b604051919350915081838237603f840484016114b4015f5a9050818110156103b6576040517f6bb97e8c000000000000000000000000000000000000000000000000000000008152600481018c905260248101829052604481018390526064016100f9565b5f5f85855f8b8bf198505a81039750505050505050509250929050565b60603d828111156103e15750815b8067ffffffffffffffff8111156103fa576103fa610624565b6040519080825280601f01601f191660200182016040528015610424576020820181803683370190505b509150805f602084013e50919050565b5f818311610442575f610458565b600a61044e8385610783565b61045891906107c1565b90505f610475610100831061046f576101006103d3565b826103d3565b90507f5c0dee5d32a1e145396705da49c1e64a2b1d63387f78c2697100f655567f5de985826040516104a89291906107f9565b60405180910390a160405250505050565b5f5f602083850312156104ca575f5ffd5b823567ffffffffffffffff8111156104e0575f5ffd5b8301601f810185136104f0575f5ffd5b803567ffffffffffffffff811115610506575f5ffd5b8560208260051b840101111561051a575f5ffd5b6020919091019590945092505050565b5f81518084528060208401602086015e5f6020828601015260207fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe0601f83011685010191505092915050565b5f602082016020835280845180835260408501915060408160051b8601019250602086015f5b82811015610618577fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffc0878603018452815180511515865267ffffffffffffffff60208201511660208701526040810151905060606040870152610602606087018261052a565b955050602093840193919091019060010161059c565b50929695505050505050565b7f4e487b71000000000000000000000000000000000000000000000000000000005f52604160045260245ffd5b7f4e487b71000000000000000000000000000000000000000000000000000000005f52603260045260245ffd5b5f82357fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa18336030181126106b0575f5ffd5b9190910192915050565b5f602082840312156106ca575f5ffd5b813567ffffffffffffffff811681146106e1575f5ffd5b9392505050565b5f602082840312156106f8575f5ffd5b813573ffffffffffffffffffffffffffffffffffffffff811681146106e1575f5ffd5b5f5f83357fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe184360301811261074e575f5ffd5b83018035915067ffffffffffffffff821115610768575f5ffd5b60200191503681900382131561077c575f5ffd5b9250929050565b818103818111156107bb577f4e487b71000000000000000000000000000000000000000000000000000000005f52601160045260245ffd5b92915050565b5f826107f4577f4e487b71000000000000000000000000000000000000000000000000000000005f52601260045260245ffd5b500490565b828152604060208201525f610811604083018461052a565b94935050505056" as const;
