// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Owned} from "./Owned.sol";

/// Who may work in this subnet, how much at once, and how it went.
///
/// Workers register themselves. The owner suspends and reinstates them. Only the TaskQueue moves the
/// counters, so they say what happened on chain and nothing else.
contract SubnetControlPlane is Owned {
    /// What `getWorker` answers. All counters are totals since registration, except `activeCount`.
    struct Worker {
        bool isRegistered;
        bool isActive;
        bool isSuspended;
        uint32 capacity;
        uint32 activeCount;
        uint64 registeredAt;
        uint64 claimed;
        uint64 completed;
        uint64 failed;
        uint64 expired;
    }

    /// One storage slot, because every claim and every settlement writes it.
    struct Record {
        bool isRegistered;
        bool isDeactivated;
        bool isSuspended;
        uint24 capacity;
        uint24 activeCount;
        uint40 registeredAt;
        uint32 claimed;
        uint32 completed;
        uint32 failed;
        uint32 expired;
    }

    /// Keeps `TaskQueue.getWorkerActivities`, which lists what a worker holds, within one eth_call.
    uint32 public constant MAX_CAPACITY = 1024;

    /// The only caller of the `record*` functions.
    address public taskQueue;
    string private _protocolVersion;
    mapping(address worker => Record) private _workers;

    event WorkerRegistered(address indexed worker, uint32 capacity);
    event WorkerDeactivated(address indexed worker);
    event WorkerSuspended(address indexed worker);
    event WorkerReinstated(address indexed worker);
    event ProtocolVersionChanged(string previousVersion, string version);
    event TaskQueueChanged(address indexed previousTaskQueue, address indexed taskQueue);

    error NotTaskQueue(address caller, address taskQueue);
    error WorkerNotRegistered(address worker);
    error WorkerNotActive(address worker);
    error WorkerIsSuspended(address worker);
    error WorkerIsNotSuspended(address worker);
    error CapacityOutOfRange(uint32 capacity, uint32 maxCapacity);
    error CapacityExceeded(address worker, uint32 activeCount, uint32 capacity);
    error EmptyProtocolVersion();

    modifier onlyTaskQueue() {
        if (msg.sender != taskQueue) revert NotTaskQueue(msg.sender, taskQueue);
        _;
    }

    constructor(string memory protocolVersion) {
        _setProtocolVersion(protocolVersion);
    }

    // ---- owner

    function setTaskQueue(address newTaskQueue) external onlyOwner {
        emit TaskQueueChanged(taskQueue, newTaskQueue);
        taskQueue = newTaskQueue;
    }

    function setProtocolVersion(string calldata version) external onlyOwner {
        _setProtocolVersion(version);
    }

    /// Freezes the worker: it can neither claim nor heartbeat nor settle, so what it holds becomes
    /// claimable by others when its leases run out.
    function suspendWorker(address worker) external onlyOwner {
        Record storage record = _registered(worker);
        if (record.isSuspended) revert WorkerIsSuspended(worker);
        record.isSuspended = true;
        emit WorkerSuspended(worker);
    }

    function reinstateWorker(address worker) external onlyOwner {
        Record storage record = _registered(worker);
        if (!record.isSuspended) revert WorkerIsNotSuspended(worker);
        record.isSuspended = false;
        emit WorkerReinstated(worker);
    }

    // ---- workers

    /// Registers the caller, or changes its capacity and ends its deactivation when it is registered
    /// already, so that a node may call this at every start. A capacity below what is in hand only
    /// stops further claims.
    function registerWorker(uint32 capacity) external {
        if (capacity == 0 || capacity > MAX_CAPACITY) revert CapacityOutOfRange(capacity, MAX_CAPACITY);
        Record storage record = _workers[msg.sender];
        if (record.isSuspended) revert WorkerIsSuspended(msg.sender);
        if (!record.isRegistered) {
            record.isRegistered = true;
            record.registeredAt = uint40(block.timestamp);
        }
        record.isDeactivated = false;
        record.capacity = uint24(capacity);
        emit WorkerRegistered(msg.sender, capacity);
    }

    /// Stops further claims by the caller. What it holds it may still finish.
    function deactivateWorker() external {
        Record storage record = _registered(msg.sender);
        if (record.isDeactivated) revert WorkerNotActive(msg.sender);
        record.isDeactivated = true;
        emit WorkerDeactivated(msg.sender);
    }

    // ---- the task queue

    function recordClaim(address worker) external onlyTaskQueue {
        Record storage record = _workers[worker];
        if (!_isActive(record)) revert WorkerNotActive(worker);
        if (record.activeCount >= record.capacity) {
            revert CapacityExceeded(worker, record.activeCount, record.capacity);
        }
        record.activeCount += 1;
        record.claimed += 1;
    }

    function recordSettlement(address worker, bool success) external onlyTaskQueue {
        Record storage record = _workers[worker];
        if (record.isSuspended) revert WorkerIsSuspended(worker);
        record.activeCount -= 1;
        if (success) record.completed += 1;
        else record.failed += 1;
    }

    /// Never reverts for the worker's own sake: whoever takes the activity over must not depend on it.
    function recordExpiry(address worker) external onlyTaskQueue {
        Record storage record = _workers[worker];
        record.activeCount -= 1;
        record.expired += 1;
    }

    // ---- views

    function isWorkerActive(address worker) external view returns (bool) {
        return _isActive(_workers[worker]);
    }

    function isWorkerSuspended(address worker) external view returns (bool) {
        return _workers[worker].isSuspended;
    }

    function getProtocolVersion() external view returns (string memory) {
        return _protocolVersion;
    }

    /// All zero and false for an address that never registered.
    function getWorker(address worker) external view returns (Worker memory) {
        Record memory record = _workers[worker];
        return Worker({
            isRegistered: record.isRegistered,
            isActive: _isActive(_workers[worker]),
            isSuspended: record.isSuspended,
            capacity: record.capacity,
            activeCount: record.activeCount,
            registeredAt: record.registeredAt,
            claimed: record.claimed,
            completed: record.completed,
            failed: record.failed,
            expired: record.expired
        });
    }

    // ---- internals

    function _isActive(Record storage record) private view returns (bool) {
        return record.isRegistered && !record.isDeactivated && !record.isSuspended;
    }

    function _registered(address worker) private view returns (Record storage record) {
        record = _workers[worker];
        if (!record.isRegistered) revert WorkerNotRegistered(worker);
    }

    function _setProtocolVersion(string memory version) private {
        if (bytes(version).length == 0) revert EmptyProtocolVersion();
        emit ProtocolVersionChanged(_protocolVersion, version);
        _protocolVersion = version;
    }
}
