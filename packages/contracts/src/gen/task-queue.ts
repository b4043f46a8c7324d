// Made by scripts/compile.ts from solidity/TaskQueue.sol. Do not edit.

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
export const taskQueueBytecode = "0x60a060405234801561000f575f5ffd5b506040516138aa3803806138aa83398101604081905261002e91610108565b600580546001600160a01b031916339081179091556040515f907f8be0079c531659141344cd1fd0a4f28419497f9722a3daafe3b4186f6b6457e0908290a36001600160a01b0382166080526100838161008a565b505061013f565b801580610099575062278d0081115b156100c757604051632565462960e01b81526004810182905262278d00602482015260440160405180910390fd5b60075460408051918252602082018390527ff9056da67e9c34289121bb20f07869a8acac046d96ed612161886e577edc5a74910160405180910390a1600755565b5f5f60408385031215610119575f5ffd5b82516001600160a01b038116811461012f575f5ffd5b6020939093015192949293505050565b6080516137376101735f395f81816103cf01528181611181015281816117e401528181611d98015261258401526137375ff3fe608060405234801561000f575f5ffd5b5060043610610184575f3560e01c8063a04dca82116100dd578063cd0f922311610088578063e30c397811610063578063e30c3978146103aa578063e9035955146103ca578063f2fde38b146103f1575f5ffd5b8063cd0f92231461037b578063d2d2d8a01461038e578063d31ecaa7146103a1575f5ffd5b8063c33ed1a5116100b8578063c33ed1a51461033c578063c37ba49c14610345578063c8ad685114610358575f5ffd5b8063a04dca82146102e9578063b48fd0fe14610309578063bc48400a14610329575f5ffd5b80635042a8341161013d57806379738be91161011857806379738be91461029357806379ba50971461029c5780638da5cb5b146102a4575f5ffd5b80635042a834146102015780635d1a3b821461022157806363bf4e971461026b575f5ffd5b8063357546571161016d57806335754657146101ba578063490d753e146101cd5780634d52cdd1146101ee575f5ffd5b8063237b32d3146101885780632742c5e2146101a5575b5f5ffd5b61019262278d0081565b6040519081526020015b60405180910390f35b6101b86101b3366004612ec0565b610404565b005b6101926101c8366004612ed7565b610519565b6101e06101db366004612f64565b610929565b60405161019c92919061314a565b6101b86101fc36600461316d565b610b38565b61021461020f3660046131b5565b610bdc565b60405161019c91906131e8565b61023461022f366004612ec0565b610cfe565b60405161019c9190815115158152602080830151151590820152604080830151908201526060918201519181019190915260800190565b61027e610279366004612f64565b610dcd565b6040805192835260208301919091520161019c565b6101926101f481565b6101b8610e55565b6005546102c49073ffffffffffffffffffffffffffffffffffffffff1681565b60405173ffffffffffffffffffffffffffffffffffffffff909116815260200161019c565b6102fc6102f7366004612ec0565b610f44565b60405161019c919061322a565b61031c610317366004612ec0565b61101b565b60405161019c919061323c565b6101b861033736600461324e565b6110fd565b61019260075481565b6101b861035336600461316d565b6113a2565b61036b610366366004612ec0565b611489565b604051901515815260200161019c565b6101b8610389366004612ec0565b61164b565b61036b61039c366004612ec0565b6116ca565b61019261400081565b6006546102c49073ffffffffffffffffffffffffffffffffffffffff1681565b6102c47f000000000000000000000000000000000000000000000000000000000000000081565b6101b86103ff3660046131b5565b611aba565b5f61040e82611ba3565b9050600160038201547f0100000000000000000000000000000000000000000000000000000000000000900460ff16600481111561044e5761044e613281565b14610499576040517f9e8cc4fd000000000000000000000000000000000000000000000000000000008152600481018390525f60248201523360448201526064015b60405180910390fd5b6104a281611bf2565b61050b5760038101546040517fd4733340000000000000000000000000000000000000000000000000000000008152600481018490527401000000000000000000000000000000000000000090910464ffffffffff166024820152426044820152606401610490565b6105158282611ca4565b5050565b5f61052482806132ae565b90505f0361055e576040517f1f9bf51500000000000000000000000000000000000000000000000000000000815260040160405180910390fd5b5f61056f60808401606085016131b5565b73ffffffffffffffffffffffffffffffffffffffff16036105bc576040517fec225f0d00000000000000000000000000000000000000000000000000000000815260040160405180910390fd5b5f8054819081906105d49065ffffffffffff1661333c565b91906101000a81548165ffffffffffff021916908365ffffffffffff1602179055905061063d8160408051466020820152309181019190915265ffffffffffff821660608201525f90608001604051602081830303815290604052805190602001209050919050565b5f818152600160205260409081902090850135815590925061066560808501606086016131b5565b60018201805473ffffffffffffffffffffffffffffffffffffffff929092167fffffffffffffff0000000000000000000000000000000000000000000000000090921691909117740100000000000000000000000000000000000000004264ffffffffff16021790556107246106db85806132ae565b8080601f0160208091040260200160405190810160405280939291908181526020018383808284375f9201919091525061071f925050506040870160208801613364565b611df7565b6001820180547fffffff00000000ffffffffffffffffffffffffffffffffffffffffffffffffff1679010000000000000000000000000000000000000000000000000063ffffffff93909316929092029190911790556002810180547fffffffffffff000000000000000000000000000000000000000000000000000016337fffffffffffff000000000000ffffffffffffffffffffffffffffffffffffffff16177401000000000000000000000000000000000000000065ffffffffffff8516021790556108326107f960808601866132ae565b8080601f0160208091040260200160405190810160405280939291908181526020018383808284375f92019190915250611ebf92505050565b60058201556108476107f960a08601866132ae565b600682015560c08401351561088d576040805133602082015260c08601359181019190915260600160408051601f19818403018152919052805160209091012060088201555b61089681611f5d565b60408401356108a585806132ae565b6040516108b392919061337d565b604051908190039020847fe88cad95fe8c40e7c3b4d43d2ef575c1f9bdaddea977836e456c6c2275419dfa6108e888806132ae565b6108f860408b0160208c01613364565b61090860808c0160608d016131b5565b3360405161091a9594939291906133b5565b60405180910390a45050919050565b6109e76040518061020001604052805f81526020015f81526020015f73ffffffffffffffffffffffffffffffffffffffff1681526020016060815260200160608152602001606081526020015f81526020015f81526020015f73ffffffffffffffffffffffffffffffffffffffff1681526020015f73ffffffffffffffffffffffffffffffffffffffff1681526020015f81526020015f81526020015f60ff1681526020015f151581526020015f151581526020015f151581525090565b5f5f60035f610a2c88888080601f0160208091040260200160405190810160405280939291908181526020018383808284375f920191909152508a9250611f9c915050565b63ffffffff16815260208101919091526040015f9081206001810154909250610a5c9065ffffffffffff16611fe5565b82549091505f90610a749065ffffffffffff166120b8565b90505f65ffffffffffff83161580610aad575065ffffffffffff821615801590610aad57508265ffffffffffff168265ffffffffffff16105b610ab75782610ab9565b815b90508065ffffffffffff165f03610ad757505f9350610b3092505050565b610b25610b208260408051466020820152309181019190915265ffffffffffff821660608201525f90608001604051602081830303815290604052805190602001209050919050565b61212c565b600195509550505050505b935093915050565b5f610b42846123a2565b9050610b8581600385858080601f0160208091040260200160405190810160405280939291908181526020018383808284375f920191909152506124a092505050565b3373ffffffffffffffffffffffffffffffffffffffff16847f546d6dae998644405cddda9e1fd2d6f640de9663c83de484bafbd76c7dd95ebd8585604051610bce929190613400565b60405180910390a350505050565b73ffffffffffffffffffffffffffffffffffffffff81165f90815260086020526040902080546060919067ffffffffffffffff811115610c1e57610c1e613413565b604051908082528060200260200182016040528015610c47578160200160208202803683370190505b5091505f5b8251811015610cf757610cd2828281548110610c6a57610c6a613440565b905f5260205f2090600591828204019190066006029054906101000a900465ffffffffffff1660408051466020820152309181019190915265ffffffffffff821660608201525f90608001604051602081830303815290604052805190602001209050919050565b838281518110610ce457610ce4613440565b6020908102919091010152600101610c4c565b5050919050565b604080516080810182525f808252602082018190529181018290526060810182905290610d2a83612615565b90506040518060800160405280610d4083612685565b15158152602001600260038401547f0100000000000000000000000000000000000000000000000000000000000000900460ff166004811115610d8557610d85613281565b148152600783015460208201526004909201547a010000000000000000000000000000000000000000000000000000900465ffffffffffff1660409092019190915292915050565b5f5f5f60035f610e1388888080601f0160208091040260200160405190810160405280939291908181526020018383808284375f920191909152508a9250611f9c915050565b63ffffffff908116825260208201929092526040015f2080546001909101546c0100000000000000000000000091829004831695500416915050935093915050565b60065473ffffffffffffffffffffffffffffffffffffffff163314610ec8576006546040517f3c29cbb600000000000000000000000000000000000000000000000000000000815233600482015273ffffffffffffffffffffffffffffffffffffffff9091166024820152604401610490565b600554604051339173ffffffffffffffffffffffffffffffffffffffff16907f8be0079c531659141344cd1fd0a4f28419497f9722a3daafe3b4186f6b6457e0905f90a3600580547fffffffffffffffffffffffff00000000000000000000000000000000000000009081163317909155600680549091169055565b6110026040518061020001604052805f81526020015f81526020015f73ffffffffffffffffffffffffffffffffffffffff1681526020016060815260200160608152602001606081526020015f81526020015f81526020015f73ffffffffffffffffffffffffffffffffffffffff1681526020015f73ffffffffffffffffffffffffffffffffffffffff1681526020015f81526020015f81526020015f60ff1681526020015f151581526020015f151581526020015f151581525090565b61100b82612615565b506110158261212c565b92915050565b5f8181526004602052604090208054606091906110379061346d565b80601f01602080910402602001604051908101604052809291908181526020018280546110639061346d565b80156110ae5780601f10611085576101008083540402835291602001916110ae565b820191905f5260205f20905b81548152906001019060200180831161109157829003601f168201915b50505050509050818180519060200120146110f8576040517f90c6d8b900000000000000000000000000000000000000000000000000000000815260048101839052602401610490565b919050565b5f611107836123a2565b905060648260ff161115611153576040517f3f26274d0000000000000000000000000000000000000000000000000000000081526004810184905260ff83166024820152604401610490565b6040517f2808ae430000000000000000000000000000000000000000000000000000000081523360048201527f000000000000000000000000000000000000000000000000000000000000000073ffffffffffffffffffffffffffffffffffffffff1690632808ae4390602401602060405180830381865afa1580156111db573d5f5f3e3d5ffd5b505050506040513d601f19601f820116820180604052508101906111ff91906134b8565b15611238576040517f015b772d000000000000000000000000000000000000000000000000000000008152336004820152602401610490565b60075442905f9061124990836134d7565b6003840180547fffff00000000000000000000ffffffffffffffffffffffffffffffffffffffff167401000000000000000000000000000000000000000064ffffffffff848116919091027fffff0000000000ffffffffffffffffffffffffffffffffffffffffffffffffff1691909117790100000000000000000000000000000000000000000000000000868316908102919091177fff00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff167e0100000000000000000000000000000000000000000000000000000000000060ff8a16021790925560048601549293506c01000000000000000000000000909204909116116113555761135583826126cc565b6040805160ff8616815264ffffffffff83166020820152339187917fa26bfa680ae88f20b9fc138a87b5c11e0c4cfd233efff1e02ee309875afe354b910160405180910390a35050505050565b5f6113ac846123a2565b6003810180547fff00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff167e64000000000000000000000000000000000000000000000000000000000000179055604080516020601f860181900481028201810190925284815291925061143c9183916002919087908790819084018382808284375f920191909152506124a092505050565b3373ffffffffffffffffffffffffffffffffffffffff16847f12b969bec6286d4df80c2366b3f89abcab6bafc9359181a28cf5d4138159f3568360070154604051610bce91815260200190565b5f5f61149483612615565b600281015490915073ffffffffffffffffffffffffffffffffffffffff1633146115155760028101546040517f917ef4b70000000000000000000000000000000000000000000000000000000081526004810185905273ffffffffffffffffffffffffffffffffffffffff9091166024820152336044820152606401610490565b61151e81611bf2565b61152a57505f92915050565b600160038201547f0100000000000000000000000000000000000000000000000000000000000000900460ff16600481111561156857611568613281565b03611577576115778382611ca4565b61158081612758565b6003810180547effffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff167f040000000000000000000000000000000000000000000000000000000000000017905560048101805479ffffffffffffffffffffffffffffffffffffffffffffffffffff167a0100000000000000000000000000000000000000000000000000004365ffffffffffff1602179055604051339084907fcca50f3d367cea79de8cff9359dd627f102bb9a0b4819581989aa1e77bcdba30905f90a350600192915050565b60055473ffffffffffffffffffffffffffffffffffffffff1633146116be576005546040517f23295f0e00000000000000000000000000000000000000000000000000000000815233600482015273ffffffffffffffffffffffffffffffffffffffff9091166024820152604401610490565b6116c781612927565b50565b5f5f6116d583611ba3565b9050600160038201547f0100000000000000000000000000000000000000000000000000000000000000900460ff16600481111561171557611715613281565b036117ac5761172381611bf2565b6117a25760038101546040517f240b5cd90000000000000000000000000000000000000000000000000000000081526004810185905273ffffffffffffffffffffffffffffffffffffffff821660248201527401000000000000000000000000000000000000000090910464ffffffffff166044820152606401610490565b6117ac8382611ca4565b6117b683826129ba565b6040517f226113d70000000000000000000000000000000000000000000000000000000081523360048201527f000000000000000000000000000000000000000000000000000000000000000073ffffffffffffffffffffffffffffffffffffffff169063226113d7906024015f604051808303815f87803b15801561183a575f5ffd5b505af115801561184c573d5f5f3e3d5ffd5b50506007544292505f915061186190836134d7565b6003840180547fffffffffffffff0000000000000000000000000000000000000000000000000016337fffffffffffffff0000000000ffffffffffffffffffffffffffffffffffffffff8116919091177401000000000000000000000000000000000000000064ffffffffff85811682029290921778ffffffffffffffffffffffffffffffffffffffffffffffffff167901000000000000000000000000000000000000000000000000009288169283027dffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff16177f010000000000000000000000000000000000000000000000000000000000000017909355600487018054710100000000000000000000000000000000009092027fffffffffffffffffffff0000000000ffffffffffffffffffffffffffffffffff8316811782555f9384526008602090815260408520805463ffffffff16760100000000000000000000000000000000000000000000027fffffffffffff00000000ffffffffffffffffffffffffffffffffffffffffffff9093167fffffffffffff000000000000000000ffffffffffffffffffffffffffffffffff9095169490941791909117909155600288015482546001810184559284529220600580830490910180549490930465ffffffffffff908116600692909306919091026101000a9182029102199092169190911790559050611a7183826126cc565b60405164ffffffffff82168152339086907fe903f5fe0157ca32b69182fb29cc4c4d4ebc2b35ee143dc61c0e261e0beb0e819060200160405180910390a3506001949350505050565b60055473ffffffffffffffffffffffffffffffffffffffff163314611b2d576005546040517f23295f0e00000000000000000000000000000000000000000000000000000000815233600482015273ffffffffffffffffffffffffffffffffffffffff9091166024820152604401610490565b600680547fffffffffffffffffffffffff00000000000000000000000000000000000000001673ffffffffffffffffffffffffffffffffffffffff838116918217909255600554604051919216907f278a93ce3591db94ed65bf1107826228ec69e444fbe2006b25e1ba8f18955b7f905f90a350565b5f611bad82612615565b9050611bb881612685565b156110f8576040517feef2ea8c00000000000000000000000000000000000000000000000000000000815260048101839052602401610490565b5f600160038301547f0100000000000000000000000000000000000000000000000000000000000000900460ff166004811115611c3157611c31613281565b03611c6057506003015474010000000000000000000000000000000000000000900464ffffffffff1642101590565b5f60038301547f0100000000000000000000000000000000000000000000000000000000000000900460ff166004811115611c9d57611c9d613281565b1492915050565b600381015460405174010000000000000000000000000000000000000000820464ffffffffff16815273ffffffffffffffffffffffffffffffffffffffff90911690819084907f0b98393623d7ffc3daf575e824f70209ea2c316ad2fdb021def9e661d0b7b3509060200160405180910390a3611d2082612a59565b5f6003830155600480830180547fffffffffffffffffffff0000000000ffffffffffffffffffffffffffffffffff1690556040517f8438530a00000000000000000000000000000000000000000000000000000000815273ffffffffffffffffffffffffffffffffffffffff838116928201929092527f000000000000000000000000000000000000000000000000000000000000000090911690638438530a906024015b5f604051808303815f87803b158015611ddc575f5ffd5b505af1158015611dee573d5f5f3e3d5ffd5b50505050505050565b5f5f8383604051602001611e0c9291906134f4565b60408051601f1981840301815291815281516020928301205f81815260029093529082205463ffffffff1693509150829003611eb8575f8054600690611e61906601000000000000900463ffffffff16613519565b825463ffffffff8083166101009490940a848102910219909116179092555f83815260026020526040902080547fffffffffffffffffffffffffffffffffffffffffffffffffffffffff0000000016909117905591505b5092915050565b5f61400082511115611f0b5781516040517f0424756400000000000000000000000000000000000000000000000000000000815260048101919091526140006024820152604401610490565b508051602082018190209015801590611f3b57505f8181526004602052604090208054611f379061346d565b1590505b156110f8575f818152600460205260409020611f57838261358b565b50919050565b6001810154790100000000000000000000000000000000000000000000000000900463ffffffff165f9081526003602052604090206116c79082612bd9565b5f60025f8484604051602001611fb39291906134f4565b60408051808303601f190181529181528151602092830120835290820192909252015f205463ffffffff169392505050565b5f805b65ffffffffffff83161580159061200057506101f481105b15611f57575f61200f84612d32565b6004810154909150426c0100000000000000000000000090910464ffffffffff16111561203c5750611f57565b5f65ffffffffffff8416158061206157508365ffffffffffff168565ffffffffffff16105b9050808015612074575061207482611bf2565b8015612084575061208482612d90565b1561208d578493505b50600401546601000000000000900465ffffffffffff169250806120b081613688565b915050611fe8565b5f805b65ffffffffffff8316158015906120d357506101f481105b15612124575f6120e284612d32565b90506120ed81612d90565b156120fa57509192915050565b600401546601000000000000900465ffffffffffff1692508061211c81613688565b9150506120bb565b505f92915050565b6121ea6040518061020001604052805f81526020015f81526020015f73ffffffffffffffffffffffffffffffffffffffff1681526020016060815260200160608152602001606081526020015f81526020015f81526020015f73ffffffffffffffffffffffffffffffffffffffff1681526020015f73ffffffffffffffffffffffffffffffffffffffff1681526020015f81526020015f81526020015f60ff1681526020015f151581526020015f151581526020015f151581525090565b5f828152600160208181526040928390208585528054918501919091529081015473ffffffffffffffffffffffffffffffffffffffff1691830191909152600581015461223690612dcb565b6060830152600681015461224990612dcb565b6080830152600781015461225c90612dcb565b60a08301526001810154740100000000000000000000000000000000000000009081900464ffffffffff90811660c08501526003830154918204811660e0850152600283015473ffffffffffffffffffffffffffffffffffffffff908116610100860152821661012085018190526004840154710100000000000000000000000000000000009004821661014086015279010000000000000000000000000000000000000000000000000083049091166101608501527e0100000000000000000000000000000000000000000000000000000000000090910460ff1661018084015215156101a083015261234f81612685565b15156101c0830152600260038201547f0100000000000000000000000000000000000000000000000000000000000000900460ff16600481111561239557612395613281565b146101e083015250919050565b5f6123ac82611ba3565b600381015490915073ffffffffffffffffffffffffffffffffffffffff16331461242d5760038101546040517f9e8cc4fd0000000000000000000000000000000000000000000000000000000081526004810184905273ffffffffffffffffffffffffffffffffffffffff9091166024820152336044820152606401610490565b61243681611bf2565b156110f85760038101546040517f7a1cd921000000000000000000000000000000000000000000000000000000008152600481018490527401000000000000000000000000000000000000000090910464ffffffffff166024820152426044820152606401610490565b6003830180548391907effffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff167f01000000000000000000000000000000000000000000000000000000000000008360048111156124fd576124fd613281565b021790555060048301805479ffffffffffffffffffffffffffffffffffffffffffffffffffff167a0100000000000000000000000000000000000000000000000000004365ffffffffffff160217905561255681611ebf565b600784015561256483612758565b61256d83612a59565b73ffffffffffffffffffffffffffffffffffffffff7f00000000000000000000000000000000000000000000000000000000000000001663bf9fc4803360028560048111156125be576125be613281565b6040517fffffffff0000000000000000000000000000000000000000000000000000000060e086901b16815273ffffffffffffffffffffffffffffffffffffffff9093166004840152146024820152604401611dc5565b5f818152600160205260408120600281015490917401000000000000000000000000000000000000000090910465ffffffffffff1690036110f8576040517f3f11087b00000000000000000000000000000000000000000000000000000000815260048101839052602401610490565b5f600260038301547f0100000000000000000000000000000000000000000000000000000000000000900460ff1660048111156126c4576126c4613281565b101592915050565b6126d582612758565b6004820180547fffffffffffffffffffffffffffffff0000000000ffffffffffffffffffffffff166c0100000000000000000000000064ffffffffff841602179055600180830154790100000000000000000000000000000000000000000000000000900463ffffffff165f908152600360205260409020610515910183612bd9565b6001810154790100000000000000000000000000000000000000000000000000900463ffffffff165f90815260036020526040812060048301549091906c01000000000000000000000000900464ffffffffff16156127ba57816001016127bc565b815b600484015490915065ffffffffffff8082169166010000000000009004165f8290036128175782547fffffffffffffffffffffffffffffffffffffffffffffffffffff0000000000001665ffffffffffff8216178355612847565b8061282183612d32565b60040160066101000a81548165ffffffffffff021916908365ffffffffffff1602179055505b8065ffffffffffff165f036128945782547fffffffffffffffffffffffffffffffffffffffff000000000000ffffffffffff16660100000000000065ffffffffffff8416021783556128d7565b8161289e82612d32565b60040180547fffffffffffffffffffffffffffffffffffffffffffffffffffff0000000000001665ffffffffffff929092169190911790555b82546001908490600c906129029084906c01000000000000000000000000900463ffffffff166136bf565b92506101000a81548163ffffffff021916908363ffffffff1602179055505050505050565b801580612936575062278d0081115b15612979576040517f256546290000000000000000000000000000000000000000000000000000000081526004810182905262278d006024820152604401610490565b60075460408051918252602082018390527ff9056da67e9c34289121bb20f07869a8acac046d96ed612161886e577edc5a74910160405180910390a1600755565b60088101545f8190036129cc57505050565b5f81815260096020908152604080832033808552925290912054906129f2908290612e6a565b15612a39576040517f287cb9af0000000000000000000000000000000000000000000000000000000081526004810185905233602482015260448101829052606401610490565b505f90815260096020908152604080832033845290915290209190915550565b600381015473ffffffffffffffffffffffffffffffffffffffff165f90815260086020526040812080549091908290612a94906001906136db565b81548110612aa457612aa4613440565b5f9182526020909120600580830490910154600286015465ffffffffffff600693909406929092026101000a900482169250740100000000000000000000000000000000000000009004168114612b94576004830154825476010000000000000000000000000000000000000000000090910463ffffffff16908290849083908110612b3257612b32613440565b905f5260205f2090600591828204019190066006026101000a81548165ffffffffffff021916908365ffffffffffff16021790555080612b7183612d32565b60040160166101000a81548163ffffffff021916908363ffffffff160217905550505b81805480612ba457612ba46136ee565b600190038181905f5260205f2090600591828204019190066006026101000a81549065ffffffffffff02191690559055505050565b6002810154825460048301805465ffffffffffff660100000000000090930483167fffffffffffffffffffffffffffffffffffffffff00000000000000000000000090911681179091557401000000000000000000000000000000000000000090920416905f819003612c7b5783547fffffffffffffffffffffffffffffffffffffffffffffffffffff0000000000001665ffffffffffff8316178455612cab565b81612c8582612d32565b60040160066101000a81548165ffffffffffff021916908365ffffffffffff1602179055505b83547fffffffffffffffffffffffffffffffffffffffff000000000000ffffffffffff16660100000000000065ffffffffffff841602178085556001908590600c90612d0e9084906c01000000000000000000000000900463ffffffff1661371b565b92506101000a81548163ffffffff021916908363ffffffff16021790555050505050565b5f60015f612d7c8460408051466020820152309181019190915265ffffffffffff821660608201525f90608001604051602081830303815290604052805190602001209050919050565b81526020019081526020015f209050919050565b60088101545f90801580612dc457505f81815260096020908152604080832033808552925290912054612dc291612e6a565b155b9392505050565b5f818152600460205260409020805460609190612de79061346d565b80601f0160208091040260200160405190810160405280929190818152602001828054612e139061346d565b8015612e5e5780601f10612e3557610100808354040283529160200191612e5e565b820191905f5260205f20905b815481529060010190602001808311612e4157829003601f168201915b50505050509050919050565b5f828103612e7957505f611015565b5f838152600160205260409020600381015473ffffffffffffffffffffffffffffffffffffffff8481169116148015612eb85750612eb681611bf2565b155b949350505050565b5f60208284031215612ed0575f5ffd5b5035919050565b5f60208284031215612ee7575f5ffd5b813567ffffffffffffffff811115612efd575f5ffd5b820160e08185031215612dc4575f5ffd5b5f5f83601f840112612f1e575f5ffd5b50813567ffffffffffffffff811115612f35575f5ffd5b602083019150836020828501011115612f4c575f5ffd5b9250929050565b803561ffff811681146110f8575f5ffd5b5f5f5f60408486031215612f76575f5ffd5b833567ffffffffffffffff811115612f8c575f5ffd5b612f9886828701612f0e565b9094509250612fab905060208501612f53565b90509250925092565b5f81518084528060208401602086015e5f602082860101526020601f19601f83011685010191505092915050565b80518252602081015160208301525f6040820151613018604085018273ffffffffffffffffffffffffffffffffffffffff169052565b5060608201516102006060850152613034610200850182612fb4565b90506080830151848203608086015261304d8282612fb4565b91505060a083015184820360a08601526130678282612fb4565b91505060c083015160c085015260e083015160e08501526101008301516130a761010086018273ffffffffffffffffffffffffffffffffffffffff169052565b506101208301516130d161012086018273ffffffffffffffffffffffffffffffffffffffff169052565b5061014083015161014085015261016083015161016085015261018083015161310061018086018260ff169052565b506101a08301516131166101a086018215159052565b506101c083015161312c6101c086018215159052565b506101e08301516131426101e086018215159052565b509392505050565b604081525f61315c6040830185612fe2565b905082151560208301529392505050565b5f5f5f6040848603121561317f575f5ffd5b83359250602084013567ffffffffffffffff81111561319c575f5ffd5b6131a886828701612f0e565b9497909650939450505050565b5f602082840312156131c5575f5ffd5b813573ffffffffffffffffffffffffffffffffffffffff81168114612dc4575f5ffd5b602080825282518282018190525f918401906040840190835b8181101561321f578351835260209384019390920191600101613201565b509095945050505050565b602081525f612dc46020830184612fe2565b602081525f612dc46020830184612fb4565b5f5f6040838503121561325f575f5ffd5b82359150602083013560ff81168114613276575f5ffd5b809150509250929050565b7f4e487b71000000000000000000000000000000000000000000000000000000005f52602160045260245ffd5b5f5f83357fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe18436030181126132e1575f5ffd5b83018035915067ffffffffffffffff8211156132fb575f5ffd5b602001915036819003821315612f4c575f5ffd5b7f4e487b71000000000000000000000000000000000000000000000000000000005f52601160045260245ffd5b5f65ffffffffffff821665ffffffffffff810361335b5761335b61330f565b60010192915050565b5f60208284031215613374575f5ffd5b612dc482612f53565b818382375f9101908152919050565b81835281816020850137505f602082840101525f6020601f19601f840116840101905092915050565b608081525f6133c860808301878961338c565b61ffff9590951660208301525073ffffffffffffffffffffffffffffffffffffffff9283166040820152911660609091015292915050565b602081525f612eb860208301848661338c565b7f4e487b71000000000000000000000000000000000000000000000000000000005f52604160045260245ffd5b7f4e487b71000000000000000000000000000000000000000000000000000000005f52603260045260245ffd5b600181811c9082168061348157607f821691505b602082108103611f57577f4e487b71000000000000000000000000000000000000000000000000000000005f52602260045260245ffd5b5f602082840312156134c8575f5ffd5b81518015158114612dc4575f5ffd5b64ffffffffff81811683821601908111156110155761101561330f565b604081525f6135066040830185612fb4565b905061ffff831660208301529392505050565b5f63ffffffff821663ffffffff810361335b5761335b61330f565b601f821115613586578282111561358657805f5260205f20601f840160051c602085101561355f57505f5b90810190601f840160051c035f5b81811015613582575f8382015560010161356d565b5050505b505050565b815167ffffffffffffffff8111156135a5576135a5613413565b6135b9816135b3845461346d565b84613534565b6020601f82116001811461360a575f83156135d45750848201515b7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff600385901b1c1916600184901b178455613681565b5f84815260208120601f198516915b828110156136395787850151825560209485019460019092019101613619565b508482101561367557868401517fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff600387901b60f8161c191681555b505060018360011b0184555b5050505050565b5f7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff82036136b8576136b861330f565b5060010190565b63ffffffff82811682821603908111156110155761101561330f565b818103818111156110155761101561330f565b7f4e487b71000000000000000000000000000000000000000000000000000000005f52603160045260245ffd5b63ffffffff81811683821601908111156110155761101561330f56" as const;
