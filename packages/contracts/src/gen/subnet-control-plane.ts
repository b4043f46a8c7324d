// Made by scripts/compile.ts from solidity/SubnetControlPlane.sol. Do not edit.

/** ABI of SubnetControlPlane, as the compiler has it. */
export const subnetControlPlaneAbi = [
  {
    "inputs": [
      {
        "internalType": "string",
        "name": "protocolVersion",
        "type": "string"
      }
    ],
    "stateMutability": "nonpayable",
    "type": "constructor"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "worker",
        "type": "address"
      },
      {
        "internalType": "uint32",
        "name": "activeCount",
        "type": "uint32"
      },
      {
        "internalType": "uint32",
        "name": "capacity",
        "type": "uint32"
      }
    ],
    "name": "CapacityExceeded",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "uint32",
        "name": "capacity",
        "type": "uint32"
      },
      {
        "internalType": "uint32",
        "name": "maxCapacity",
        "type": "uint32"
      }
    ],
    "name": "CapacityOutOfRange",
    "type": "error"
  },
  {
    "inputs": [],
    "name": "EmptyProtocolVersion",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "caller",
        "type": "address"
      },
      {
        "internalType": "address",
        "name": "owner",
        "type": "address"
      }
    ],
    "name": "NotOwner",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "caller",
        "type": "address"
      },
      {
        "internalType": "address",
        "name": "pendingOwner",
        "type": "address"
      }
    ],
    "name": "NotPendingOwner",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "caller",
        "type": "address"
      },
      {
        "internalType": "address",
        "name": "taskQueue",
        "type": "address"
      }
    ],
    "name": "NotTaskQueue",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "worker",
        "type": "address"
      }
    ],
    "name": "WorkerIsNotSuspended",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "worker",
        "type": "address"
      }
    ],
    "name": "WorkerIsSuspended",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "worker",
        "type": "address"
      }
    ],
    "name": "WorkerNotActive",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "worker",
        "type": "address"
      }
    ],
    "name": "WorkerNotRegistered",
    "type": "error"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "address",
        "name": "owner",
        "type": "address"
      },
      {
        "indexed": true,
        "internalType": "address",
        "name": "pendingOwner",
        "type": "address"
      }
    ],
    "name": "OwnershipOffered",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "address",
        "name": "previousOwner",
        "type": "address"
      },
      {
        "indexed": true,
        "internalType": "address",
        "name": "owner",
        "type": "address"
      }
    ],
    "name": "OwnershipTransferred",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": false,
        "internalType": "string",
        "name": "previousVersion",
        "type": "string"
      },
      {
        "indexed": false,
        "internalType": "string",
        "name": "version",
        "type": "string"
      }
    ],
    "name": "ProtocolVersionChanged",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "address",
        "name": "previousTaskQueue",
        "type": "address"
      },
      {
        "indexed": true,
        "internalType": "address",
        "name": "taskQueue",
        "type": "address"
      }
    ],
    "name": "TaskQueueChanged",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "address",
        "name": "worker",
        "type": "address"
      }
    ],
    "name": "WorkerDeactivated",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "address",
        "name": "worker",
        "type": "address"
      },
      {
        "indexed": false,
        "internalType": "uint32",
        "name": "capacity",
        "type": "uint32"
      }
    ],
    "name": "WorkerRegistered",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "address",
        "name": "worker",
        "type": "address"
      }
    ],
    "name": "WorkerReinstated",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "address",
        "name": "worker",
        "type": "address"
      }
    ],
    "name": "WorkerSuspended",
    "type": "event"
  },
  {
    "inputs": [],
    "name": "MAX_CAPACITY",
    "outputs": [
      {
        "internalType": "uint32",
        "name": "",
        "type": "uint32"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [],
    "name": "acceptOwnership",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [],
    "name": "deactivateWorker",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [],
    "name": "getProtocolVersion",
    "outputs": [
      {
        "internalType": "string",
        "name": "",
        "type": "string"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "worker",
        "type": "address"
      }
    ],
    "name": "getWorker",
    "outputs": [
      {
        "components": [
          {
            "internalType": "bool",
            "name": "isRegistered",
            "type": "bool"
          },
          {
            "internalType": "bool",
            "name": "isActive",
            "type": "bool"
          },
          {
            "internalType": "bool",
            "name": "isSuspended",
            "type": "bool"
          },
          {
            "internalType": "uint32",
            "name": "capacity",
            "type": "uint32"
          },
          {
            "internalType": "uint32",
            "name": "activeCount",
            "type": "uint32"
          },
          {
            "internalType": "uint64",
            "name": "registeredAt",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "claimed",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "completed",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "failed",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "expired",
            "type": "uint64"
          }
        ],
        "internalType": "struct SubnetControlPlane.Worker",
        "name": "",
        "type": "tuple"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "worker",
        "type": "address"
      }
    ],
    "name": "isWorkerActive",
    "outputs": [
      {
        "internalType": "bool",
        "name": "",
        "type": "bool"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "worker",
        "type": "address"
      }
    ],
    "name": "isWorkerSuspended",
    "outputs": [
      {
        "internalType": "bool",
        "name": "",
        "type": "bool"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [],
    "name": "owner",
    "outputs": [
      {
        "internalType": "address",
        "name": "",
        "type": "address"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [],
    "name": "pendingOwner",
    "outputs": [
      {
        "internalType": "address",
        "name": "",
        "type": "address"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "worker",
        "type": "address"
      }
    ],
    "name": "recordClaim",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "worker",
        "type": "address"
      }
    ],
    "name": "recordExpiry",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "worker",
        "type": "address"
      },
      {
        "internalType": "bool",
        "name": "success",
        "type": "bool"
      }
    ],
    "name": "recordSettlement",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "uint32",
        "name": "capacity",
        "type": "uint32"
      }
    ],
    "name": "registerWorker",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "worker",
        "type": "address"
      }
    ],
    "name": "reinstateWorker",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "string",
        "name": "version",
        "type": "string"
      }
    ],
    "name": "setProtocolVersion",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "newTaskQueue",
        "type": "address"
      }
    ],
    "name": "setTaskQueue",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "worker",
        "type": "address"
      }
    ],
    "name": "suspendWorker",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [],
    "name": "taskQueue",
    "outputs": [
      {
        "internalType": "address",
        "name": "",
        "type": "address"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "newOwner",
        "type": "address"
      }
    ],
    "name": "transferOwnership",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  }
] as const;

/** Creation code, without constructor arguments. */
export const subnetControlPlaneBytecode = "0x608060405234801561000f575f5ffd5b50604051611dca380380611dca83398101604081905261002e916100fa565b5f80546001600160a01b0319163390811782556040519091907f8be0079c531659141344cd1fd0a4f28419497f9722a3daafe3b4186f6b6457e0908290a36100758161007b565b506103bf565b80515f0361009c576040516390c169c160e01b815260040160405180910390fd5b7f804f37d24633885540a8ff306d65d314cbfa7155b400a9b4bb71051caa1376506003826040516100ce929190610210565b60405180910390a160036100e28282610301565b5050565b634e487b7160e01b5f52604160045260245ffd5b5f6020828403121561010a575f5ffd5b81516001600160401b0381111561011f575f5ffd5b8201601f8101841361012f575f5ffd5b80516001600160401b03811115610148576101486100e6565b604051601f8201601f19908116603f011681016001600160401b0381118282101715610176576101766100e6565b60405281815282820160200186101561018d575f5ffd5b8160208401602083015e5f91810160200191909152949350505050565b600181811c908216806101be57607f821691505b6020821081036101dc57634e487b7160e01b5f52602260045260245ffd5b50919050565b5f81518084528060208401602086015e5f602082860101526020601f19601f83011685010191505092915050565b604081525f5f8454610221816101aa565b806040860152600182165f811461023f576001811461025b5761028c565b60ff1983166060870152606082151560051b870101935061028c565b875f5260205f205f5b8381101561028357815488820160600152600190910190602001610264565b87016060019450505b50505082810360208401526102a181856101e2565b95945050505050565b601f8211156102fc57828211156102fc57805f5260205f20601f840160051c60208510156102d557505f5b90810190601f840160051c035f5b818110156102f8575f838201556001016102e3565b5050505b505050565b81516001600160401b0381111561031a5761031a6100e6565b61032e8161032884546101aa565b846102aa565b6020601f821160018114610360575f83156103495750848201515b5f19600385901b1c1916600184901b1784556103b8565b5f84815260208120601f198516915b8281101561038f578785015182556020948501946001909201910161036f565b50848210156103ac57868401515f19600387901b60f8161c191681555b505060018360011b0184555b5050505050565b6119fe806103cc5f395ff3fe608060405234801561000f575f5ffd5b5060043610610148575f3560e01c806380fa48a2116100c7578063c011b1c31161007d578063e30c397811610063578063e30c39781461030b578063e742a58e1461032b578063f2fde38b14610333575f5ffd5b8063c011b1c3146102d8578063c5689dbf146102f8575f5ffd5b80638da5cb5b116100ad5780638da5cb5b14610261578063a1f2db19146102a5578063bf9fc480146102c5575f5ffd5b806380fa48a21461023b5780638438530a1461024e575f5ffd5b80633a5ddf301161011c578063500d605611610102578063500d60561461020d57806372a437c71461022057806379ba509714610233575f5ffd5b80633a5ddf30146101dc5780634fb3db87146101fa575f5ffd5b80621305c41461014c578063226113d7146101615780632808ae431461017457806333ce93fe146101c7575b5f5ffd5b61015f61015a366004611474565b610346565b005b61015f61016f3660046114c1565b6104ba565b6101b26101823660046114c1565b73ffffffffffffffffffffffffffffffffffffffff165f9081526004602052604090205462010000900460ff1690565b60405190151581526020015b60405180910390f35b6101cf6106be565b6040516101be9190611526565b6101e561040081565b60405163ffffffff90911681526020016101be565b61015f6102083660046114c1565b61074e565b61015f61021b3660046114c1565b610895565b61015f61022e3660046114c1565b610993565b61015f610ad4565b61015f610249366004611538565b610bc2565b61015f61025c3660046114c1565b610c75565b5f546102809073ffffffffffffffffffffffffffffffffffffffff1681565b60405173ffffffffffffffffffffffffffffffffffffffff90911681526020016101be565b6002546102809073ffffffffffffffffffffffffffffffffffffffff1681565b61015f6102d33660046115a6565b610d6f565b6102eb6102e63660046114c1565b610f34565b6040516101be91906115df565b6101b26103063660046114c1565b611188565b6001546102809073ffffffffffffffffffffffffffffffffffffffff1681565b61015f6111bb565b61015f6103413660046114c1565b611262565b63ffffffff81161580610360575061040063ffffffff8216115b156103ac576040517ff14a57ef00000000000000000000000000000000000000000000000000000000815263ffffffff8216600482015261040060248201526044015b60405180910390fd5b335f908152600460205260409020805462010000900460ff16156103fe576040517f015b772d0000000000000000000000000000000000000000000000000000000081523360048201526024016103a3565b805460ff1661044857805464ffffffffff42166901000000000000000000027fffffffffffffffffffffffffffffffffffff0000000000ffffffffffffffff009091161760011781555b80547fffffffffffffffffffffffffffffffffffffffffffffffffffff000000ff00ff16630100000062ffffff84160217815560405163ffffffff8316815233907fa35e25ff52173d26ddbacb4284d45aca8ba5e9b4b2b1af0f4f7f64ad1b26830e9060200160405180910390a25050565b60025473ffffffffffffffffffffffffffffffffffffffff16331461052d576002546040517fdfe8e6b300000000000000000000000000000000000000000000000000000000815233600482015273ffffffffffffffffffffffffffffffffffffffff90911660248201526044016103a3565b73ffffffffffffffffffffffffffffffffffffffff81165f90815260046020526040902061055a81611348565b6105a8576040517f7c8e37c400000000000000000000000000000000000000000000000000000000815273ffffffffffffffffffffffffffffffffffffffff831660048201526024016103a3565b805462ffffff630100000082048116660100000000000090920416106106395780546040517f6b01c29700000000000000000000000000000000000000000000000000000000815273ffffffffffffffffffffffffffffffffffffffff8416600482015262ffffff6601000000000000830481166024830152630100000090920490911660448201526064016103a3565b8054600190829060069061065d9084906601000000000000900462ffffff16611705565b92506101000a81548162ffffff021916908362ffffff1602179055506001815f01600e8282829054906101000a900463ffffffff1661069c9190611720565b92506101000a81548163ffffffff021916908363ffffffff1602179055505050565b6060600380546106cd9061173c565b80601f01602080910402602001604051908101604052809291908181526020018280546106f99061173c565b80156107445780601f1061071b57610100808354040283529160200191610744565b820191905f5260205f20905b81548152906001019060200180831161072757829003601f168201915b5050505050905090565b5f5473ffffffffffffffffffffffffffffffffffffffff1633146107bf575f546040517f23295f0e00000000000000000000000000000000000000000000000000000000815233600482015273ffffffffffffffffffffffffffffffffffffffff90911660248201526044016103a3565b5f6107c982611378565b805490915062010000900460ff1615610826576040517f015b772d00000000000000000000000000000000000000000000000000000000815273ffffffffffffffffffffffffffffffffffffffff831660048201526024016103a3565b80547fffffffffffffffffffffffffffffffffffffffffffffffffffffffffff00ffff166201000017815560405173ffffffffffffffffffffffffffffffffffffffff8316907fe0ccc0b0c6d4c62b26918251065cdcc07d37105b6c0ea4f6b010fea45073546c905f90a25050565b5f5473ffffffffffffffffffffffffffffffffffffffff163314610906575f546040517f23295f0e00000000000000000000000000000000000000000000000000000000815233600482015273ffffffffffffffffffffffffffffffffffffffff90911660248201526044016103a3565b60025460405173ffffffffffffffffffffffffffffffffffffffff8084169216907fa3c93654c1e25259cfd1c5134f2529008e5c09e9e4f734369f870267db32ca4a905f90a3600280547fffffffffffffffffffffffff00000000000000000000000000000000000000001673ffffffffffffffffffffffffffffffffffffffff92909216919091179055565b5f5473ffffffffffffffffffffffffffffffffffffffff163314610a04575f546040517f23295f0e00000000000000000000000000000000000000000000000000000000815233600482015273ffffffffffffffffffffffffffffffffffffffff90911660248201526044016103a3565b5f610a0e82611378565b805490915062010000900460ff16610a6a576040517fa13d0b6700000000000000000000000000000000000000000000000000000000815273ffffffffffffffffffffffffffffffffffffffff831660048201526024016103a3565b80547fffffffffffffffffffffffffffffffffffffffffffffffffffffffffff00ffff16815560405173ffffffffffffffffffffffffffffffffffffffff8316907f3911afffa47aba3f3a50cb8dd533823d2bbf8c5c44d6dbba306d2cc26da9e584905f90a25050565b60015473ffffffffffffffffffffffffffffffffffffffff163314610b47576001546040517f3c29cbb600000000000000000000000000000000000000000000000000000000815233600482015273ffffffffffffffffffffffffffffffffffffffff90911660248201526044016103a3565b5f8054604051339273ffffffffffffffffffffffffffffffffffffffff909216917f8be0079c531659141344cd1fd0a4f28419497f9722a3daafe3b4186f6b6457e091a35f80547fffffffffffffffffffffffff00000000000000000000000000000000000000009081163317909155600180549091169055565b5f5473ffffffffffffffffffffffffffffffffffffffff163314610c33575f546040517f23295f0e00000000000000000000000000000000000000000000000000000000815233600482015273ffffffffffffffffffffffffffffffffffffffff90911660248201526044016103a3565b610c7182828080601f0160208091040260200160405190810160405280939291908181526020018383808284375f920191909152506113f492505050565b5050565b60025473ffffffffffffffffffffffffffffffffffffffff163314610ce8576002546040517fdfe8e6b300000000000000000000000000000000000000000000000000000000815233600482015273ffffffffffffffffffffffffffffffffffffffff90911660248201526044016103a3565b73ffffffffffffffffffffffffffffffffffffffff81165f90815260046020526040902080546001908290600690610d309084906601000000000000900462ffffff1661178d565b92506101000a81548162ffffff021916908362ffffff1602179055506001815f01601a8282829054906101000a900463ffffffff1661069c9190611720565b60025473ffffffffffffffffffffffffffffffffffffffff163314610de2576002546040517fdfe8e6b300000000000000000000000000000000000000000000000000000000815233600482015273ffffffffffffffffffffffffffffffffffffffff90911660248201526044016103a3565b73ffffffffffffffffffffffffffffffffffffffff82165f908152600460205260409020805462010000900460ff1615610e60576040517f015b772d00000000000000000000000000000000000000000000000000000000815273ffffffffffffffffffffffffffffffffffffffff841660048201526024016103a3565b80546001908290600690610e849084906601000000000000900462ffffff1661178d565b92506101000a81548162ffffff021916908362ffffff1602179055508115610efa5780546001908290601290610ed79084907201000000000000000000000000000000000000900463ffffffff16611720565b92506101000a81548163ffffffff021916908363ffffffff160217905550505050565b80546001908290601690610ed7908490760100000000000000000000000000000000000000000000900463ffffffff16611720565b505050565b60408051610140810182525f80825260208201819052918101829052606081018290526080810182905260a0810182905260c0810182905260e08101829052610100810182905261012081019190915273ffffffffffffffffffffffffffffffffffffffff82165f81815260046020818152604080842081516101408082018452825460ff80821615158452610100808304821615158589015262010000830490911615158487015262ffffff63010000008304811660608601526601000000000000830416608085015264ffffffffff690100000000000000000083041660a085015263ffffffff6e0100000000000000000000000000008304811660c086015272010000000000000000000000000000000000008304811660e086015276010000000000000000000000000000000000000000000083048116918501919091527a010000000000000000000000000000000000000000000000000000909104166101208301528351908101909352805115158352959094529181529091908201906110c090611348565b15158152602001826040015115158152602001826060015162ffffff1663ffffffff168152602001826080015162ffffff1663ffffffff1681526020018260a0015164ffffffffff1667ffffffffffffffff1681526020018260c0015163ffffffff1667ffffffffffffffff1681526020018260e0015163ffffffff1667ffffffffffffffff16815260200182610100015163ffffffff1667ffffffffffffffff16815260200182610120015163ffffffff1667ffffffffffffffff16815250915050919050565b73ffffffffffffffffffffffffffffffffffffffff81165f9081526004602052604081206111b590611348565b92915050565b5f6111c533611378565b8054909150610100900460ff161561120b576040517f7c8e37c40000000000000000000000000000000000000000000000000000000081523360048201526024016103a3565b80547fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff00ff1661010017815560405133907f605ff9458e78a0b91a26be81e79eab9a9912144dc0a24407881addd56236bafa905f90a250565b5f5473ffffffffffffffffffffffffffffffffffffffff1633146112d3575f546040517f23295f0e00000000000000000000000000000000000000000000000000000000815233600482015273ffffffffffffffffffffffffffffffffffffffff90911660248201526044016103a3565b600180547fffffffffffffffffffffffff00000000000000000000000000000000000000001673ffffffffffffffffffffffffffffffffffffffff8381169182179092555f8054604051929316917f278a93ce3591db94ed65bf1107826228ec69e444fbe2006b25e1ba8f18955b7f9190a350565b80545f9060ff16801561136257508154610100900460ff16155b80156111b55750505462010000900460ff161590565b73ffffffffffffffffffffffffffffffffffffffff81165f908152600460205260409020805460ff166113ef576040517fcb9a70eb00000000000000000000000000000000000000000000000000000000815273ffffffffffffffffffffffffffffffffffffffff831660048201526024016103a3565b919050565b80515f0361142e576040517f90c169c100000000000000000000000000000000000000000000000000000000815260040160405180910390fd5b7f804f37d24633885540a8ff306d65d314cbfa7155b400a9b4bb71051caa1376506003826040516114609291906117a8565b60405180910390a16003610c7182826118e3565b5f60208284031215611484575f5ffd5b813563ffffffff81168114611497575f5ffd5b9392505050565b803573ffffffffffffffffffffffffffffffffffffffff811681146113ef575f5ffd5b5f602082840312156114d1575f5ffd5b6114978261149e565b5f81518084528060208401602086015e5f6020828601015260207fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe0601f83011685010191505092915050565b602081525f61149760208301846114da565b5f5f60208385031215611549575f5ffd5b823567ffffffffffffffff81111561155f575f5ffd5b8301601f8101851361156f575f5ffd5b803567ffffffffffffffff811115611585575f5ffd5b856020828401011115611596575f5ffd5b6020919091019590945092505050565b5f5f604083850312156115b7575f5ffd5b6115c08361149e565b9150602083013580151581146115d4575f5ffd5b809150509250929050565b815115158152610140810160208301516115fd602084018215159052565b506040830151611611604084018215159052565b506060830151611629606084018263ffffffff169052565b506080830151611641608084018263ffffffff169052565b5060a083015161165d60a084018267ffffffffffffffff169052565b5060c083015161167960c084018267ffffffffffffffff169052565b5060e083015161169560e084018267ffffffffffffffff169052565b506101008301516116b361010084018267ffffffffffffffff169052565b506101208301516116d161012084018267ffffffffffffffff169052565b5092915050565b7f4e487b71000000000000000000000000000000000000000000000000000000005f52601160045260245ffd5b62ffffff81811683821601908111156111b5576111b56116d8565b63ffffffff81811683821601908111156111b5576111b56116d8565b600181811c9082168061175057607f821691505b602082108103611787577f4e487b71000000000000000000000000000000000000000000000000000000005f52602260045260245ffd5b50919050565b62ffffff82811682821603908111156111b5576111b56116d8565b604081525f5f84546117b98161173c565b806040860152600182165f81146117d7576001811461181157611842565b7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff0083166060870152606082151560051b8701019350611842565b875f5260205f205f5b838110156118395781548882016060015260019091019060200161181a565b87016060019450505b505050828103602084015261185781856114da565b95945050505050565b7f4e487b71000000000000000000000000000000000000000000000000000000005f52604160045260245ffd5b601f821115610f2f5782821115610f2f57805f5260205f20601f840160051c60208510156118b857505f5b90810190601f840160051c035f5b818110156118db575f838201556001016118c6565b505050505050565b815167ffffffffffffffff8111156118fd576118fd611860565b6119118161190b845461173c565b8461188d565b6020601f821160018114611962575f831561192c5750848201515b7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff600385901b1c1916600184901b1784556119f7565b5f848152602081207fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe08516915b828110156119af578785015182556020948501946001909201910161198f565b50848210156119eb57868401517fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff600387901b60f8161c191681555b505060018360011b0184555b505050505056" as const;
