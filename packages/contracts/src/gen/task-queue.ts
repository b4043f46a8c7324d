// Made by scripts/compile.ts from solidity/TaskQueue.sol. Do not edit.

/** ABI of TaskQueue, as the compiler has it. */
export const taskQueueAbi = [
  {
    "inputs": [
      {
        "internalType": "contract SubnetControlPlane",
        "name": "controlPlane_",
        "type": "address"
      },
      {
        "internalType": "uint256",
        "name": "leaseDurationS_",
        "type": "uint256"
      }
    ],
    "stateMutability": "nonpayable",
    "type": "constructor"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "activityId",
        "type": "bytes32"
      },
      {
        "internalType": "address",
        "name": "worker",
        "type": "address"
      },
      {
        "internalType": "uint256",
        "name": "expiresAt",
        "type": "uint256"
      }
    ],
    "name": "ActivityAlreadyClaimed",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "activityId",
        "type": "bytes32"
      }
    ],
    "name": "ActivityAlreadySettled",
    "type": "error"
  },
  {
    "inputs": [],
    "name": "EmptyQueueName",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "activityId",
        "type": "bytes32"
      },
      {
        "internalType": "address",
        "name": "worker",
        "type": "address"
      },
      {
        "internalType": "bytes32",
        "name": "claimedActivityId",
        "type": "bytes32"
      }
    ],
    "name": "GroupAlreadyClaimed",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "uint256",
        "name": "leaseDurationS",
        "type": "uint256"
      },
      {
        "internalType": "uint256",
        "name": "maxS",
        "type": "uint256"
      }
    ],
    "name": "LeaseDurationOutOfRange",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "activityId",
        "type": "bytes32"
      },
      {
        "internalType": "uint256",
        "name": "expiredAt",
        "type": "uint256"
      },
      {
        "internalType": "uint256",
        "name": "nowS",
        "type": "uint256"
      }
    ],
    "name": "LeaseExpired",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "activityId",
        "type": "bytes32"
      },
      {
        "internalType": "uint256",
        "name": "expiresAt",
        "type": "uint256"
      },
      {
        "internalType": "uint256",
        "name": "nowS",
        "type": "uint256"
      }
    ],
    "name": "LeaseNotExpired",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "activityId",
        "type": "bytes32"
      },
      {
        "internalType": "address",
        "name": "assignedWorker",
        "type": "address"
      },
      {
        "internalType": "address",
        "name": "caller",
        "type": "address"
      }
    ],
    "name": "NotAssignedWorker",
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
        "internalType": "bytes32",
        "name": "activityId",
        "type": "bytes32"
      },
      {
        "internalType": "address",
        "name": "requester",
        "type": "address"
      },
      {
        "internalType": "address",
        "name": "caller",
        "type": "address"
      }
    ],
    "name": "NotRequester",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "uint256",
        "name": "sizeBytes",
        "type": "uint256"
      },
      {
        "internalType": "uint256",
        "name": "maxBytes",
        "type": "uint256"
      }
    ],
    "name": "PayloadTooLarge",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "activityId",
        "type": "bytes32"
      },
      {
        "internalType": "uint8",
        "name": "progress",
        "type": "uint8"
      }
    ],
    "name": "ProgressOutOfRange",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "activityId",
        "type": "bytes32"
      }
    ],
    "name": "UnknownActivity",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "payloadHash",
        "type": "bytes32"
      }
    ],
    "name": "UnknownPayload",
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
    "inputs": [],
    "name": "ZeroActivityType",
    "type": "error"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "activityId",
        "type": "bytes32"
      },
      {
        "indexed": true,
        "internalType": "address",
        "name": "worker",
        "type": "address"
      },
      {
        "indexed": false,
        "internalType": "uint256",
        "name": "expiresAt",
        "type": "uint256"
      }
    ],
    "name": "ActivityClaimed",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "activityId",
        "type": "bytes32"
      },
      {
        "indexed": true,
        "internalType": "address",
        "name": "worker",
        "type": "address"
      },
      {
        "indexed": false,
        "internalType": "bytes32",
        "name": "resultHash",
        "type": "bytes32"
      }
    ],
    "name": "ActivityCompleted",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "activityId",
        "type": "bytes32"
      },
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "queueHash",
        "type": "bytes32"
      },
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "workflowInstanceId",
        "type": "bytes32"
      },
      {
        "indexed": false,
        "internalType": "string",
        "name": "queueName",
        "type": "string"
      },
      {
        "indexed": false,
        "internalType": "uint16",
        "name": "partitionId",
        "type": "uint16"
      },
      {
        "indexed": false,
        "internalType": "address",
        "name": "activityType",
        "type": "address"
      },
      {
        "indexed": false,
        "internalType": "address",
        "name": "requester",
        "type": "address"
      }
    ],
    "name": "ActivityEnqueued",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "activityId",
        "type": "bytes32"
      },
      {
        "indexed": true,
        "internalType": "address",
        "name": "worker",
        "type": "address"
      },
      {
        "indexed": false,
        "internalType": "uint256",
        "name": "expiredAt",
        "type": "uint256"
      }
    ],
    "name": "ActivityExpired",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "activityId",
        "type": "bytes32"
      },
      {
        "indexed": true,
        "internalType": "address",
        "name": "worker",
        "type": "address"
      },
      {
        "indexed": false,
        "internalType": "string",
        "name": "reason",
        "type": "string"
      }
    ],
    "name": "ActivityFailed",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "activityId",
        "type": "bytes32"
      },
      {
        "indexed": true,
        "internalType": "address",
        "name": "worker",
        "type": "address"
      },
      {
        "indexed": false,
        "internalType": "uint8",
        "name": "progress",
        "type": "uint8"
      },
      {
        "indexed": false,
        "internalType": "uint256",
        "name": "expiresAt",
        "type": "uint256"
      }
    ],
    "name": "ActivityHeartbeat",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "activityId",
        "type": "bytes32"
      },
      {
        "indexed": true,
        "internalType": "address",
        "name": "requester",
        "type": "address"
      }
    ],
    "name": "ActivityWithdrawn",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": false,
        "internalType": "uint256",
        "name": "previousS",
        "type": "uint256"
      },
      {
        "indexed": false,
        "internalType": "uint256",
        "name": "leaseDurationS",
        "type": "uint256"
      }
    ],
    "name": "LeaseDurationChanged",
    "type": "event"
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
    "inputs": [],
    "name": "MAX_LEASE_DURATION_S",
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
    "inputs": [],
    "name": "MAX_PAYLOAD_BYTES",
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
    "inputs": [],
    "name": "MAX_POLL_SCAN",
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
    "inputs": [],
    "name": "acceptOwnership",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "activityId",
        "type": "bytes32"
      }
    ],
    "name": "claimActivity",
    "outputs": [
      {
        "internalType": "bool",
        "name": "",
        "type": "bool"
      }
    ],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "activityId",
        "type": "bytes32"
      },
      {
        "internalType": "bytes",
        "name": "resultData",
        "type": "bytes"
      }
    ],
    "name": "completeActivity",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [],
    "name": "controlPlane",
    "outputs": [
      {
        "internalType": "contract SubnetControlPlane",
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
        "components": [
          {
            "internalType": "string",
            "name": "queueName",
            "type": "string"
          },
          {
            "internalType": "uint16",
            "name": "partitionId",
            "type": "uint16"
          },
          {
            "internalType": "bytes32",
            "name": "workflowInstanceId",
            "type": "bytes32"
          },
          {
            "internalType": "address",
            "name": "activityType",
            "type": "address"
          },
          {
            "internalType": "bytes",
            "name": "inputData",
            "type": "bytes"
          },
          {
            "internalType": "bytes",
            "name": "initData",
            "type": "bytes"
          },
          {
            "internalType": "bytes32",
            "name": "exclusiveGroup",
            "type": "bytes32"
          }
        ],
        "internalType": "struct TaskQueue.EnqueueParams",
        "name": "params",
        "type": "tuple"
      }
    ],
    "name": "enqueueActivity",
    "outputs": [
      {
        "internalType": "bytes32",
        "name": "activityId",
        "type": "bytes32"
      }
    ],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "activityId",
        "type": "bytes32"
      },
      {
        "internalType": "string",
        "name": "reason",
        "type": "string"
      }
    ],
    "name": "failActivity",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "activityId",
        "type": "bytes32"
      }
    ],
    "name": "getActivity",
    "outputs": [
      {
        "components": [
          {
            "internalType": "bytes32",
            "name": "activityId",
            "type": "bytes32"
          },
          {
            "internalType": "bytes32",
            "name": "workflowInstanceId",
            "type": "bytes32"
          },
          {
            "internalType": "address",
            "name": "activityType",
            "type": "address"
          },
          {
            "internalType": "bytes",
            "name": "inputData",
            "type": "bytes"
          },
          {
            "internalType": "bytes",
            "name": "initData",
            "type": "bytes"
          },
          {
            "internalType": "bytes",
            "name": "resultData",
            "type": "bytes"
          },
          {
            "internalType": "uint256",
            "name": "createdAt",
            "type": "uint256"
          },
          {
            "internalType": "uint256",
            "name": "expiresAt",
            "type": "uint256"
          },
          {
            "internalType": "address",
            "name": "requester",
            "type": "address"
          },
          {
            "internalType": "address",
            "name": "assignedWorker",
            "type": "address"
          },
          {
            "internalType": "uint256",
            "name": "assignedAt",
            "type": "uint256"
          },
          {
            "internalType": "uint256",
            "name": "lastHeartbeat",
            "type": "uint256"
          },
          {
            "internalType": "uint8",
            "name": "progress",
            "type": "uint8"
          },
          {
            "internalType": "bool",
            "name": "isAssigned",
            "type": "bool"
          },
          {
            "internalType": "bool",
            "name": "isCompleted",
            "type": "bool"
          },
          {
            "internalType": "bool",
            "name": "success",
            "type": "bool"
          }
        ],
        "internalType": "struct TaskQueue.Activity",
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
        "internalType": "bytes32",
        "name": "activityId",
        "type": "bytes32"
      }
    ],
    "name": "getOutcome",
    "outputs": [
      {
        "components": [
          {
            "internalType": "bool",
            "name": "isSettled",
            "type": "bool"
          },
          {
            "internalType": "bool",
            "name": "success",
            "type": "bool"
          },
          {
            "internalType": "bytes32",
            "name": "resultHash",
            "type": "bytes32"
          },
          {
            "internalType": "uint256",
            "name": "settledAtBlock",
            "type": "uint256"
          }
        ],
        "internalType": "struct TaskQueue.Outcome",
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
        "internalType": "bytes32",
        "name": "payloadHash",
        "type": "bytes32"
      }
    ],
    "name": "getPayload",
    "outputs": [
      {
        "internalType": "bytes",
        "name": "payload",
        "type": "bytes"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "string",
        "name": "queueName",
        "type": "string"
      },
      {
        "internalType": "uint16",
        "name": "partitionId",
        "type": "uint16"
      }
    ],
    "name": "getQueueDepth",
    "outputs": [
      {
        "internalType": "uint256",
        "name": "waiting",
        "type": "uint256"
      },
      {
        "internalType": "uint256",
        "name": "leased",
        "type": "uint256"
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
    "name": "getWorkerActivities",
    "outputs": [
      {
        "internalType": "bytes32[]",
        "name": "activityIds",
        "type": "bytes32[]"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "activityId",
        "type": "bytes32"
      },
      {
        "internalType": "uint8",
        "name": "progress",
        "type": "uint8"
      }
    ],
    "name": "heartbeatActivity",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [],
    "name": "leaseDurationS",
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
        "internalType": "string",
        "name": "queueName",
        "type": "string"
      },
      {
        "internalType": "uint16",
        "name": "partitionId",
        "type": "uint16"
      }
    ],
    "name": "pollActivity",
    "outputs": [
      {
        "components": [
          {
            "internalType": "bytes32",
            "name": "activityId",
            "type": "bytes32"
          },
          {
            "internalType": "bytes32",
            "name": "workflowInstanceId",
            "type": "bytes32"
          },
          {
            "internalType": "address",
            "name": "activityType",
            "type": "address"
          },
          {
            "internalType": "bytes",
            "name": "inputData",
            "type": "bytes"
          },
          {
            "internalType": "bytes",
            "name": "initData",
            "type": "bytes"
          },
          {
            "internalType": "bytes",
            "name": "resultData",
            "type": "bytes"
          },
          {
            "internalType": "uint256",
            "name": "createdAt",
            "type": "uint256"
          },
          {
            "internalType": "uint256",
            "name": "expiresAt",
            "type": "uint256"
          },
          {
            "internalType": "address",
            "name": "requester",
            "type": "address"
          },
          {
            "internalType": "address",
            "name": "assignedWorker",
            "type": "address"
          },
          {
            "internalType": "uint256",
            "name": "assignedAt",
            "type": "uint256"
          },
          {
            "internalType": "uint256",
            "name": "lastHeartbeat",
            "type": "uint256"
          },
          {
            "internalType": "uint8",
            "name": "progress",
            "type": "uint8"
          },
          {
            "internalType": "bool",
            "name": "isAssigned",
            "type": "bool"
          },
          {
            "internalType": "bool",
            "name": "isCompleted",
            "type": "bool"
          },
          {
            "internalType": "bool",
            "name": "success",
            "type": "bool"
          }
        ],
        "internalType": "struct TaskQueue.Activity",
        "name": "activity",
        "type": "tuple"
      },
      {
        "internalType": "bool",
        "name": "hasActivity",
        "type": "bool"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "activityId",
        "type": "bytes32"
      }
    ],
    "name": "releaseExpired",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "uint256",
        "name": "newLeaseDurationS",
        "type": "uint256"
      }
    ],
    "name": "setLeaseDuration",
    "outputs": [],
    "stateMutability": "nonpayable",
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
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "activityId",
        "type": "bytes32"
      }
    ],
    "name": "withdrawActivity",
    "outputs": [
      {
        "internalType": "bool",
        "name": "withdrawn",
        "type": "bool"
      }
    ],
    "stateMutability": "nonpayable",
    "type": "function"
  }
] as const;

/** Creation code, without constructor arguments. */
export const taskQueueBytecode = "0x60a060405234801561000f575f5ffd5b506040516139e23803806139e283398101604081905261002e91610108565b600580546001600160a01b031916339081179091556040515f907f8be0079c531659141344cd1fd0a4f28419497f9722a3daafe3b4186f6b6457e0908290a36001600160a01b0382166080526100838161008a565b505061013f565b801580610099575062278d0081115b156100c757604051632565462960e01b81526004810182905262278d00602482015260440160405180910390fd5b60075460408051918252602082018390527ff9056da67e9c34289121bb20f07869a8acac046d96ed612161886e577edc5a74910160405180910390a1600755565b5f5f60408385031215610119575f5ffd5b82516001600160a01b038116811461012f575f5ffd5b6020939093015192949293505050565b60805161386f6101735f395f81816103cf015281816111cb015281816117c401528181611c6a01526124f3015261386f5ff3fe608060405234801561000f575f5ffd5b5060043610610184575f3560e01c8063a04dca82116100dd578063cd0f922311610088578063e30c397811610063578063e30c3978146103aa578063e9035955146103ca578063f2fde38b146103f1575f5ffd5b8063cd0f92231461037b578063d2d2d8a01461038e578063d31ecaa7146103a1575f5ffd5b8063c33ed1a5116100b8578063c33ed1a51461033c578063c37ba49c14610345578063c8ad685114610358575f5ffd5b8063a04dca82146102e9578063b48fd0fe14610309578063bc48400a14610329575f5ffd5b80635042a8341161013d57806379738be91161011857806379738be91461029357806379ba50971461029c5780638da5cb5b146102a4575f5ffd5b80635042a834146102015780635d1a3b821461022157806363bf4e971461026b575f5ffd5b8063357546571161016d57806335754657146101ba578063490d753e146101cd5780634d52cdd1146101ee575f5ffd5b8063237b32d3146101885780632742c5e2146101a5575b5f5ffd5b61019262278d0081565b6040519081526020015b60405180910390f35b6101b86101b336600461300d565b610404565b005b6101926101c8366004613024565b6104f7565b6101e06101db3660046130b8565b610963565b60405161019c92919061329e565b6101b86101fc3660046132c1565b610b79565b61021461020f366004613309565b610c1d565b60405161019c919061333c565b61023461022f36600461300d565b610d5f565b60405161019c9190815115158152602080830151151590820152604080830151908201526060918201519181019190915260800190565b61027e6102793660046130b8565b610e07565b6040805192835260208301919091520161019c565b6101926101f481565b6101b8610e9f565b6005546102c49073ffffffffffffffffffffffffffffffffffffffff1681565b60405173ffffffffffffffffffffffffffffffffffffffff909116815260200161019c565b6102fc6102f736600461300d565b610f8e565b60405161019c919061337e565b61031c61031736600461300d565b611065565b60405161019c9190613390565b6101b86103373660046133a2565b611147565b61019260075481565b6101b86103533660046132c1565b6113e3565b61036b61036636600461300d565b6114c6565b604051901515815260200161019c565b6101b861038936600461300d565b61164d565b61036b61039c36600461300d565b6116cc565b61019261400081565b6006546102c49073ffffffffffffffffffffffffffffffffffffffff1681565b6102c47f000000000000000000000000000000000000000000000000000000000000000081565b6101b86103ff366004613309565b6119d1565b5f61040e82611aba565b905060028154600160f81b900460ff16600581111561042f5761042f6133d5565b1461047a576040517f9e8cc4fd000000000000000000000000000000000000000000000000000000008152600481018390525f60248201523360448201526064015b60405180910390fd5b61048381611b09565b6104e95780546040517fd4733340000000000000000000000000000000000000000000000000000000008152600481018490527401000000000000000000000000000000000000000090910464ffffffffff166024820152426044820152606401610471565b6104f38282611b7b565b5050565b5f6105028280613402565b90505f0361053c576040517f1f9bf51500000000000000000000000000000000000000000000000000000000815260040160405180910390fd5b5f61054d6080840160608501613309565b73ffffffffffffffffffffffffffffffffffffffff160361059a576040517fec225f0d00000000000000000000000000000000000000000000000000000000815260040160405180910390fd5b5f8054819081906105b19064ffffffffff16613490565b91906101000a81548164ffffffffff021916908364ffffffffff160217905590506106178160408051466020820152309181019190915264ffffffffff821660608201525f90608001604051602081830303815290604052805190602001209050919050565b5f818152600160205260409081902080547effffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff16600160f81b17815590850135600482015590925061066d6080850160608601613309565b60028201805473ffffffffffffffffffffffffffffffffffffffff929092167fffffffffffffff0000000000000000000000000000000000000000000000000090921691909117740100000000000000000000000000000000000000004264ffffffffff160217905561072c6106e38580613402565b8080601f0160208091040260200160405190810160405280939291908181526020018383808284375f920191909152506107279250505060408701602088016134b6565b611cc7565b6001820180546003840180547fffffffffffffffffffffffff0000000000000000000000000000000000000000163317905564ffffffffff851674010000000000000000000000000000000000000000027fffffffffffffff0000000000ffffffffffffffffffffffffffffffffffffffff63ffffffff949094167b0100000000000000000000000000000000000000000000000000000002939093167fff00000000ffff0000000000ffffffffffffffffffffffffffffffffffffffff9091161791909117905561083d6108046080860186613402565b8080601f0160208091040260200160405190810160405280939291908181526020018383808284375f92019190915250611d8e92505050565b600582015561085261080460a0860186613402565b600682015560c0840135156108c7576001810180547effffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff16600160f81b1790556040805133602082015260c08601359181019190915260600160408051601f19818403018152919052805160209091012060088201555b6108d081611e2c565b60408401356108df8580613402565b6040516108ed9291906134cf565b604051908190039020847fe88cad95fe8c40e7c3b4d43d2ef575c1f9bdaddea977836e456c6c2275419dfa6109228880613402565b61093260408b0160208c016134b6565b61094260808c0160608d01613309565b33604051610954959493929190613507565b60405180910390a45050919050565b610a216040518061020001604052805f81526020015f81526020015f73ffffffffffffffffffffffffffffffffffffffff1681526020016060815260200160608152602001606081526020015f81526020015f81526020015f73ffffffffffffffffffffffffffffffffffffffff1681526020015f73ffffffffffffffffffffffffffffffffffffffff1681526020015f81526020015f81526020015f60ff1681526020015f151581526020015f151581526020015f151581525090565b5f5f60035f610a6688888080601f0160208091040260200160405190810160405280939291908181526020018383808284375f920191909152508a9250611f76915050565b63ffffffff16815260208101919091526040015f9081208054909250610aa4906e010000000000000000000000000000900464ffffffffff16611fbf565b82549091505f90610abb9064ffffffffff1661208a565b90505f64ffffffffff83161580610af0575064ffffffffff821615801590610af057508264ffffffffff168264ffffffffff16105b610afa5782610afc565b815b90508064ffffffffff165f03610b1957505f9350610b7192505050565b610b66610b618260408051466020820152309181019190915264ffffffffff821660608201525f90608001604051602081830303815290604052805190602001209050919050565b6120fb565b600195509550505050505b935093915050565b5f610b8384612351565b9050610bc681600485858080601f0160208091040260200160405190810160405280939291908181526020018383808284375f9201919091525061244692505050565b3373ffffffffffffffffffffffffffffffffffffffff16847f546d6dae998644405cddda9e1fd2d6f640de9663c83de484bafbd76c7dd95ebd8585604051610c0f929190613552565b60405180910390a350505050565b73ffffffffffffffffffffffffffffffffffffffff81165f908152600860205260408120805460609203610c515750919050565b8054610c5f90600190613565565b67ffffffffffffffff811115610c7757610c77613578565b604051908082528060200260200182016040528015610ca0578160200160208202803683370190505b5091505f5b8251811015610d5857610d3382610cbd8360016135a5565b81548110610ccd57610ccd6135b8565b905f5260205f2090600691828204019190066005029054906101000a900464ffffffffff1660408051466020820152309181019190915264ffffffffff821660608201525f90608001604051602081830303815290604052805190602001209050919050565b838281518110610d4557610d456135b8565b6020908102919091010152600101610ca5565b5050919050565b604080516080810182525f808252602082018190529181018290526060810182905290610d8b83612584565b90506040518060800160405280610da1836125e9565b1515815260200160038354600160f81b900460ff166005811115610dc757610dc76133d5565b14815260078301546020820152604001610de0836125e9565b610dea575f610df7565b600183015464ffffffffff165b64ffffffffff1690529392505050565b5f5f5f60035f610e4d88888080601f0160208091040260200160405190810160405280939291908181526020018383808284375f920191909152508a9250611f76915050565b63ffffffff908116825260208201929092526040015f20546a01000000000000000000008104821694507801000000000000000000000000000000000000000000000000900416915050935093915050565b60065473ffffffffffffffffffffffffffffffffffffffff163314610f12576006546040517f3c29cbb600000000000000000000000000000000000000000000000000000000815233600482015273ffffffffffffffffffffffffffffffffffffffff9091166024820152604401610471565b600554604051339173ffffffffffffffffffffffffffffffffffffffff16907f8be0079c531659141344cd1fd0a4f28419497f9722a3daafe3b4186f6b6457e0905f90a3600580547fffffffffffffffffffffffff00000000000000000000000000000000000000009081163317909155600680549091169055565b61104c6040518061020001604052805f81526020015f81526020015f73ffffffffffffffffffffffffffffffffffffffff1681526020016060815260200160608152602001606081526020015f81526020015f81526020015f73ffffffffffffffffffffffffffffffffffffffff1681526020015f73ffffffffffffffffffffffffffffffffffffffff1681526020015f81526020015f81526020015f60ff1681526020015f151581526020015f151581526020015f151581525090565b61105582612584565b5061105f826120fb565b92915050565b5f818152600460205260409020805460609190611081906135e5565b80601f01602080910402602001604051908101604052809291908181526020018280546110ad906135e5565b80156110f85780601f106110cf576101008083540402835291602001916110f8565b820191905f5260205f20905b8154815290600101906020018083116110db57829003601f168201915b5050505050905081818051906020012014611142576040517f90c6d8b900000000000000000000000000000000000000000000000000000000815260048101839052602401610471565b919050565b5f61115183612351565b905060648260ff16111561119d576040517f3f26274d0000000000000000000000000000000000000000000000000000000081526004810184905260ff83166024820152604401610471565b6040517f2808ae430000000000000000000000000000000000000000000000000000000081523360048201527f000000000000000000000000000000000000000000000000000000000000000073ffffffffffffffffffffffffffffffffffffffff1690632808ae4390602401602060405180830381865afa158015611225573d5f5f3e3d5ffd5b505050506040513d601f19601f820116820180604052508101906112499190613630565b15611282576040517f015b772d000000000000000000000000000000000000000000000000000000008152336004820152602401610471565b60075442905f90611293908361364f565b83547fffff00000000000000000000ffffffffffffffffffffffffffffffffffffffff167401000000000000000000000000000000000000000064ffffffffff838116919091027fffff0000000000ffffffffffffffffffffffffffffffffffffffffffffffffff1691909117790100000000000000000000000000000000000000000000000000858316908102919091177fff00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff167e0100000000000000000000000000000000000000000000000000000000000060ff89160217865560018601549293506a01000000000000000000009092041611611396576113968382612611565b6040805160ff8616815264ffffffffff83166020820152339187917fa26bfa680ae88f20b9fc138a87b5c11e0c4cfd233efff1e02ee309875afe354b910160405180910390a35050505050565b5f6113ed84612351565b80547fff00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff167e64000000000000000000000000000000000000000000000000000000000000178155604080516020601f86018190048102820181019092528481529192506114799183916003919087908790819084018382808284375f9201919091525061244692505050565b3373ffffffffffffffffffffffffffffffffffffffff16847f12b969bec6286d4df80c2366b3f89abcab6bafc9359181a28cf5d4138159f3568360070154604051610c0f91815260200190565b5f5f6114d183612584565b600381015490915073ffffffffffffffffffffffffffffffffffffffff1633146115525760038101546040517f917ef4b70000000000000000000000000000000000000000000000000000000081526004810185905273ffffffffffffffffffffffffffffffffffffffff9091166024820152336044820152606401610471565b61155b81611b09565b61156757505f92915050565b60028154600160f81b900460ff166005811115611586576115866133d5565b03611595576115958382611b7b565b61159e816127dd565b80547effffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff167f05000000000000000000000000000000000000000000000000000000000000001781556001810180547fffffffffffffffffffffffffffffffffffffffffffffffffffffff0000000000164364ffffffffff16179055604051339084907fcca50f3d367cea79de8cff9359dd627f102bb9a0b4819581989aa1e77bcdba30905f90a350600192915050565b60055473ffffffffffffffffffffffffffffffffffffffff1633146116c0576005546040517f23295f0e00000000000000000000000000000000000000000000000000000000815233600482015273ffffffffffffffffffffffffffffffffffffffff9091166024820152604401610471565b6116c981612a7c565b50565b5f5f6116d783611aba565b905060028154600160f81b900460ff1660058111156116f8576116f86133d5565b0361178c5761170681611b09565b6117825780546040517f240b5cd90000000000000000000000000000000000000000000000000000000081526004810185905273ffffffffffffffffffffffffffffffffffffffff821660248201527401000000000000000000000000000000000000000090910464ffffffffff166044820152606401610471565b61178c8382611b7b565b6117968382612b0f565b6040517f226113d70000000000000000000000000000000000000000000000000000000081523360048201527f000000000000000000000000000000000000000000000000000000000000000073ffffffffffffffffffffffffffffffffffffffff169063226113d7906024015f604051808303815f87803b15801561181a575f5ffd5b505af115801561182c573d5f5f3e3d5ffd5b50506007544292505f9150611841908361364f565b83547fffffffffffffff0000000000000000000000000000000000000000000000000016337fffffffffffffff0000000000ffffffffffffffffffffffffffffffffffffffff16177401000000000000000000000000000000000000000064ffffffffff838116919091029190911778ffffffffffffffffffffffffffffffffffffffffffffffffff167901000000000000000000000000000000000000000000000000009185169182027dffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff16177f02000000000000000000000000000000000000000000000000000000000000001785556001850180547fffffffffffffffffffffffff0000000000ffffffffffffffffffffffffffffff166f01000000000000000000000000000000909202919091179055905061197e83612bb8565b6119888382612611565b60405164ffffffffff82168152339086907fe903f5fe0157ca32b69182fb29cc4c4d4ebc2b35ee143dc61c0e261e0beb0e819060200160405180910390a3506001949350505050565b60055473ffffffffffffffffffffffffffffffffffffffff163314611a44576005546040517f23295f0e00000000000000000000000000000000000000000000000000000000815233600482015273ffffffffffffffffffffffffffffffffffffffff9091166024820152604401610471565b600680547fffffffffffffffffffffffff00000000000000000000000000000000000000001673ffffffffffffffffffffffffffffffffffffffff838116918217909255600554604051919216907f278a93ce3591db94ed65bf1107826228ec69e444fbe2006b25e1ba8f18955b7f905f90a350565b5f611ac482612584565b9050611acf816125e9565b15611142576040517feef2ea8c00000000000000000000000000000000000000000000000000000000815260048101839052602401610471565b5f60028254600160f81b900460ff166005811115611b2957611b296133d5565b03611b5557505474010000000000000000000000000000000000000000900464ffffffffff1642101590565b60018254600160f81b900460ff166005811115611b7457611b746133d5565b1492915050565b805460405174010000000000000000000000000000000000000000820464ffffffffff16815273ffffffffffffffffffffffffffffffffffffffff90911690819084907f0b98393623d7ffc3daf575e824f70209ea2c316ad2fdb021def9e661d0b7b3509060200160405180910390a3611bf482612cad565b600160f81b82556001820180547fffffffffffffffffffffffff0000000000ffffffffffffffffffffffffffffff1690556040517f8438530a00000000000000000000000000000000000000000000000000000000815273ffffffffffffffffffffffffffffffffffffffff82811660048301527f00000000000000000000000000000000000000000000000000000000000000001690638438530a906024015b5f604051808303815f87803b158015611cac575f5ffd5b505af1158015611cbe573d5f5f3e3d5ffd5b50505050505050565b5f5f8383604051602001611cdc92919061366c565b60408051601f1981840301815291815281516020928301205f81815260029093529082205463ffffffff1693509150829003611d87575f8054600590611d309065010000000000900463ffffffff16613691565b825463ffffffff8083166101009490940a848102910219909116179092555f83815260026020526040902080547fffffffffffffffffffffffffffffffffffffffffffffffffffffffff0000000016909117905591505b5092915050565b5f61400082511115611dda5781516040517f0424756400000000000000000000000000000000000000000000000000000000815260048101919091526140006024820152604401610471565b508051602082018190209015801590611e0a57505f8181526004602052604090208054611e06906135e5565b1590505b15611142575f818152600460205260409020611e268382613703565b50919050565b60018101547b01000000000000000000000000000000000000000000000000000000900463ffffffff165f908152600360205260408120805490916501000000000090910464ffffffffff1690819003611ecf57600183015482547401000000000000000000000000000000000000000090910464ffffffffff167fffffffffffffffffffffffffffffffffffffffffffffffffffffff00000000009091161782555b611ed98382612de8565b60018381015483547fffffffffffffffffffffffffffffffffffffffffffff0000000000ffffffffff167401000000000000000000000000000000000000000090910464ffffffffff166501000000000002178084558390600a90611f539084906a0100000000000000000000900463ffffffff16613800565b92506101000a81548163ffffffff021916908363ffffffff160217905550505050565b5f60025f8484604051602001611f8d92919061366c565b60408051808303601f190181529181528151602092830120835290820192909252015f205463ffffffff169392505050565b5f805b64ffffffffff831615801590611fd957506101f481105b15611e26575f611fe884612e77565b6001810154909150426a010000000000000000000090910464ffffffffff1611156120135750611e26565b5f64ffffffffff8416158061203557508364ffffffffff168564ffffffffff16105b9050808015612048575061204882611b09565b8015612058575061205882612ed4565b15612061578493505b506001015465010000000000900464ffffffffff169250806120828161381c565b915050611fc2565b5f805b64ffffffffff8316158015906120a457506101f481105b156120f3575f6120b384612e77565b90506120be81612ed4565b156120cb57509192915050565b6001015465010000000000900464ffffffffff169250806120eb8161381c565b91505061208d565b505f92915050565b6121b96040518061020001604052805f81526020015f81526020015f73ffffffffffffffffffffffffffffffffffffffff1681526020016060815260200160608152602001606081526020015f81526020015f81526020015f73ffffffffffffffffffffffffffffffffffffffff1681526020015f73ffffffffffffffffffffffffffffffffffffffff1681526020015f81526020015f81526020015f60ff1681526020015f151581526020015f151581526020015f151581525090565b5f82815260016020908152604091829020848452600481015491840191909152600281015473ffffffffffffffffffffffffffffffffffffffff1691830191909152600581015461220990612f1b565b6060830152600681015461221c90612f1b565b6080830152600781015461222f90612f1b565b60a08301526002810154740100000000000000000000000000000000000000009081900464ffffffffff90811660c08501528254918204811660e0850152600383015473ffffffffffffffffffffffffffffffffffffffff9081166101008601528216610120850181905260018401546f010000000000000000000000000000009004821661014086015279010000000000000000000000000000000000000000000000000083049091166101608501527e0100000000000000000000000000000000000000000000000000000000000090910460ff1661018084015215156101a083015261231d816125e9565b15156101c083015260038154600160f81b900460ff166005811115612344576123446133d5565b146101e083015250919050565b5f61235b82611aba565b805490915073ffffffffffffffffffffffffffffffffffffffff1633146123d65780546040517f9e8cc4fd0000000000000000000000000000000000000000000000000000000081526004810184905273ffffffffffffffffffffffffffffffffffffffff9091166024820152336044820152606401610471565b6123df81611b09565b156111425780546040517f7a1cd921000000000000000000000000000000000000000000000000000000008152600481018490527401000000000000000000000000000000000000000090910464ffffffffff166024820152426044820152606401610471565b8254829084907effffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff16600160f81b836005811115612484576124846133d5565b021790555061249281611d8e565b60078401556124a0836127dd565b6001830180547fffffffffffffffffffffffffffffffffffffffffffffffffffffff0000000000164364ffffffffff161790556124dc83612cad565b73ffffffffffffffffffffffffffffffffffffffff7f00000000000000000000000000000000000000000000000000000000000000001663bf9fc48033600385600581111561252d5761252d6133d5565b6040517fffffffff0000000000000000000000000000000000000000000000000000000060e086901b16815273ffffffffffffffffffffffffffffffffffffffff9093166004840152146024820152604401611c95565b5f818152600160205260408120908154600160f81b900460ff1660058111156125af576125af6133d5565b03611142576040517f3f11087b00000000000000000000000000000000000000000000000000000000815260048101839052602401610471565b5f60038254600160f81b900460ff166005811115612609576126096133d5565b101592915050565b61261a826127dd565b6001820180547fffffffffffffffffffffffffffffffffff0000000000ffffffffffffffffffff166a010000000000000000000064ffffffffff8481169190910291909117918290557b0100000000000000000000000000000000000000000000000000000090910463ffffffff165f90815260036020526040812080549092730100000000000000000000000000000000000000909104169081900361271957600184015482547fffffffffffffffffffffffffff0000000000ffffffffffffffffffffffffffff167401000000000000000000000000000000000000000090910464ffffffffff166e010000000000000000000000000000021782555b6127238482612de8565b60018481015483547fffffffffffffffff0000000000ffffffffffffffffffffffffffffffffffffff167401000000000000000000000000000000000000000090910464ffffffffff16730100000000000000000000000000000000000000021780845583906018906127b99084907801000000000000000000000000000000000000000000000000900463ffffffff16613800565b92506101000a81548163ffffffff021916908363ffffffff16021790555050505050565b600181015463ffffffff7b010000000000000000000000000000000000000000000000000000008204165f9081526003602052604090209064ffffffffff8082169165010000000000900416811561285d578061283983612e77565b60010160056101000a81548164ffffffffff021916908364ffffffffff1602179055505b64ffffffffff8116156128ac578161287482612e77565b60010180547fffffffffffffffffffffffffffffffffffffffffffffffffffffff00000000001664ffffffffff929092169190911790555b60018401546a0100000000000000000000900464ffffffffff165f0361299c578164ffffffffff165f0361290a5782547fffffffffffffffffffffffffffffffffffffffffffffffffffffff00000000001664ffffffffff82161783555b8064ffffffffff165f036129505782547fffffffffffffffffffffffffffffffffffffffffffff0000000000ffffffffff166501000000000064ffffffffff8416021783555b82546001908490600a906129799084906a0100000000000000000000900463ffffffff16613853565b92506101000a81548163ffffffff021916908363ffffffff160217905550612a76565b8164ffffffffff165f036129eb5782547fffffffffffffffffffffffffff0000000000ffffffffffffffffffffffffffff166e01000000000000000000000000000064ffffffffff8316021783555b8064ffffffffff165f03612a3f5782547fffffffffffffffff0000000000ffffffffffffffffffffffffffffffffffffff1673010000000000000000000000000000000000000064ffffffffff8416021783555b825460019084906018906127b99084907801000000000000000000000000000000000000000000000000900463ffffffff16613853565b50505050565b801580612a8b575062278d0081115b15612ace576040517f256546290000000000000000000000000000000000000000000000000000000081526004810182905262278d006024820152604401610471565b60075460408051918252602082018390527ff9056da67e9c34289121bb20f07869a8acac046d96ed612161886e577edc5a74910160405180910390a1600755565b6001810154600160f81b900460ff16612b26575050565b60088101545f8181526009602090815260408083203380855292529091205490612b51908290612fba565b15612b98576040517f287cb9af0000000000000000000000000000000000000000000000000000000081526004810185905233602482015260448101829052606401610471565b505f90815260096020908152604080832033845290915290209190915550565b335f9081526008602052604081208054909103612c005780546001810182555f8281526020902060068083049091018054919092066005026101000a64ffffffffff02191690555b80546001928301805461ffff909216790100000000000000000000000000000000000000000000000000027fffffffffff0000ffffffffffffffffffffffffffffffffffffffffffffffffff9092169190911790819055815492830182555f918252602090912060068084049091018054600592909406919091026101000a64ffffffffff7401000000000000000000000000000000000000000090930483168102920219909216179055565b805473ffffffffffffffffffffffffffffffffffffffff165f9081526008602052604081208054909190612ce390600190613565565b90505f828281548110612cf857612cf86135b8565b5f9182526020909120600680830490910154600187015464ffffffffff600593909406929092026101000a900482169250740100000000000000000000000000000000000000009004168114612de2576001840154835479010000000000000000000000000000000000000000000000000090910461ffff16908290859083908110612d8657612d866135b8565b905f5260205f2090600691828204019190066005026101000a81548164ffffffffff021916908364ffffffffff16021790555080612dc383612e77565b60010160196101000a81548161ffff021916908361ffff160217905550505b50905550565b6001820180547fffffffffffffffffffffffffffffffffffffffffffff000000000000000000001664ffffffffff8316908117909155156104f357600182015474010000000000000000000000000000000000000000900464ffffffffff16612e5082612e77565b60010160056101000a81548164ffffffffff021916908364ffffffffff1602179055505050565b5f60015f612ec08460408051466020820152309181019190915264ffffffffff821660608201525f90608001604051602081830303815290604052805190602001209050919050565b81526020019081526020015f209050919050565b60018101545f90600160f81b900460ff16158061105f575060088201545f90815260096020908152604080832033808552925290912054612f1491612fba565b1592915050565b5f818152600460205260409020805460609190612f37906135e5565b80601f0160208091040260200160405190810160405280929190818152602001828054612f63906135e5565b8015612fae5780601f10612f8557610100808354040283529160200191612fae565b820191905f5260205f20905b815481529060010190602001808311612f9157829003601f168201915b50505050509050919050565b5f828103612fc957505f61105f565b5f838152600160205260409020805473ffffffffffffffffffffffffffffffffffffffff8481169116148015613005575061300381611b09565b155b949350505050565b5f6020828403121561301d575f5ffd5b5035919050565b5f60208284031215613034575f5ffd5b813567ffffffffffffffff81111561304a575f5ffd5b820160e0818503121561305b575f5ffd5b9392505050565b5f5f83601f840112613072575f5ffd5b50813567ffffffffffffffff811115613089575f5ffd5b6020830191508360208285010111156130a0575f5ffd5b9250929050565b803561ffff81168114611142575f5ffd5b5f5f5f604084860312156130ca575f5ffd5b833567ffffffffffffffff8111156130e0575f5ffd5b6130ec86828701613062565b90945092506130ff9050602085016130a7565b90509250925092565b5f81518084528060208401602086015e5f602082860101526020601f19601f83011685010191505092915050565b80518252602081015160208301525f604082015161316c604085018273ffffffffffffffffffffffffffffffffffffffff169052565b5060608201516102006060850152613188610200850182613108565b9050608083015184820360808601526131a18282613108565b91505060a083015184820360a08601526131bb8282613108565b91505060c083015160c085015260e083015160e08501526101008301516131fb61010086018273ffffffffffffffffffffffffffffffffffffffff169052565b5061012083015161322561012086018273ffffffffffffffffffffffffffffffffffffffff169052565b5061014083015161014085015261016083015161016085015261018083015161325461018086018260ff169052565b506101a083015161326a6101a086018215159052565b506101c08301516132806101c086018215159052565b506101e08301516132966101e086018215159052565b509392505050565b604081525f6132b06040830185613136565b905082151560208301529392505050565b5f5f5f604084860312156132d3575f5ffd5b83359250602084013567ffffffffffffffff8111156132f0575f5ffd5b6132fc86828701613062565b9497909650939450505050565b5f60208284031215613319575f5ffd5b813573ffffffffffffffffffffffffffffffffffffffff8116811461305b575f5ffd5b602080825282518282018190525f918401906040840190835b81811015613373578351835260209384019390920191600101613355565b509095945050505050565b602081525f61305b6020830184613136565b602081525f61305b6020830184613108565b5f5f604083850312156133b3575f5ffd5b82359150602083013560ff811681146133ca575f5ffd5b809150509250929050565b7f4e487b71000000000000000000000000000000000000000000000000000000005f52602160045260245ffd5b5f5f83357fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe1843603018112613435575f5ffd5b83018035915067ffffffffffffffff82111561344f575f5ffd5b6020019150368190038213156130a0575f5ffd5b7f4e487b71000000000000000000000000000000000000000000000000000000005f52601160045260245ffd5b5f64ffffffffff821664ffffffffff81036134ad576134ad613463565b60010192915050565b5f602082840312156134c6575f5ffd5b61305b826130a7565b818382375f9101908152919050565b81835281816020850137505f602082840101525f6020601f19601f840116840101905092915050565b608081525f61351a6080830187896134de565b61ffff9590951660208301525073ffffffffffffffffffffffffffffffffffffffff9283166040820152911660609091015292915050565b602081525f6130056020830184866134de565b8181038181111561105f5761105f613463565b7f4e487b71000000000000000000000000000000000000000000000000000000005f52604160045260245ffd5b8082018082111561105f5761105f613463565b7f4e487b71000000000000000000000000000000000000000000000000000000005f52603260045260245ffd5b600181811c908216806135f957607f821691505b602082108103611e26577f4e487b71000000000000000000000000000000000000000000000000000000005f52602260045260245ffd5b5f60208284031215613640575f5ffd5b8151801515811461305b575f5ffd5b64ffffffffff818116838216019081111561105f5761105f613463565b604081525f61367e6040830185613108565b905061ffff831660208301529392505050565b5f63ffffffff821663ffffffff81036134ad576134ad613463565b601f8211156136fe57828211156136fe57805f5260205f20601f840160051c60208510156136d757505f5b90810190601f840160051c035f5b818110156136fa575f838201556001016136e5565b5050505b505050565b815167ffffffffffffffff81111561371d5761371d613578565b6137318161372b84546135e5565b846136ac565b6020601f821160018114613782575f831561374c5750848201515b7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff600385901b1c1916600184901b1784556137f9565b5f84815260208120601f198516915b828110156137b15787850151825560209485019460019092019101613791565b50848210156137ed57868401517fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff600387901b60f8161c191681555b505060018360011b0184555b5050505050565b63ffffffff818116838216019081111561105f5761105f613463565b5f7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff820361384c5761384c613463565b5060010190565b63ffffffff828116828216039081111561105f5761105f61346356" as const;
