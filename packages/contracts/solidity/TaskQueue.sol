// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ActivityLists} from "./ActivityLists.sol";
import {Owned} from "./Owned.sol";
import {PayloadStore} from "./PayloadStore.sol";
import {SubnetControlPlane} from "./SubnetControlPlane.sol";

/// Queues of activities that workers claim under a lease, keep alive, and settle.
///
/// A lease is valid while block.timestamp < expiresAt. An activity whose lease ran out unsettled is
/// claimable again, by anybody. The only contract called from here is the SubnetControlPlane given at
/// construction, so there is nothing to reenter.
contract TaskQueue is ActivityLists, PayloadStore, Owned {
    /// `expiresAt`, `assignedAt` and `lastHeartbeat` are Unix seconds, and 0 before assignment; the claim
    /// counts as the first heartbeat. A withdrawn activity is completed, without success or worker.
    /// A failed one carries its reason (UTF-8) in `resultData`.
    struct Activity {
        bytes32 activityId;
        bytes32 workflowInstanceId;
        address activityType;
        bytes inputData;
        bytes initData;
        bytes resultData;
        uint256 createdAt;
        uint256 expiresAt;
        address requester;
        address assignedWorker;
        uint256 assignedAt;
        uint256 lastHeartbeat;
        uint8 progress;
        bool isAssigned;
        bool isCompleted;
        bool success;
    }

    /// `exclusiveGroup`: no worker gets two activities of one group of one requester; 0 for none.
    struct EnqueueParams {
        string queueName;
        uint16 partitionId;
        bytes32 workflowInstanceId;
        address activityType;
        bytes inputData;
        bytes initData;
        bytes32 exclusiveGroup;
    }

    /// What a requester needs to judge an activity, without its payloads.
    struct Outcome {
        bool isSettled;
        bool success;
        bytes32 resultHash;
        uint256 settledAtBlock;
    }

    uint256 public constant MAX_LEASE_DURATION_S = 30 days;
    /// How many activities one poll may pass over in each list, so that it always fits into an eth_call.
    uint256 public constant MAX_POLL_SCAN = 500;

    SubnetControlPlane public immutable controlPlane;
    uint256 public leaseDurationS;

    /// Serials of what a worker has in hand, from index 1 on. Index 0 holds nothing, so that the length is
    /// never 0 again: writing a slot that is 0 costs four times as much.
    mapping(address worker => uint40[]) private _held;
    /// The activity that a worker last claimed in a group.
    mapping(bytes32 group => mapping(address worker => bytes32 activityId)) private _groupClaims;

    event ActivityEnqueued(
        bytes32 indexed activityId,
        bytes32 indexed queueHash,
        bytes32 indexed workflowInstanceId,
        string queueName,
        uint16 partitionId,
        address activityType,
        address requester
    );
    event ActivityClaimed(bytes32 indexed activityId, address indexed worker, uint256 expiresAt);
    event ActivityHeartbeat(bytes32 indexed activityId, address indexed worker, uint8 progress, uint256 expiresAt);
    event ActivityCompleted(bytes32 indexed activityId, address indexed worker, bytes32 resultHash);
    event ActivityFailed(bytes32 indexed activityId, address indexed worker, string reason);
    event ActivityExpired(bytes32 indexed activityId, address indexed worker, uint256 expiredAt);
    event ActivityWithdrawn(bytes32 indexed activityId, address indexed requester);
    event LeaseDurationChanged(uint256 previousS, uint256 leaseDurationS);

    error UnknownActivity(bytes32 activityId);
    error ActivityAlreadySettled(bytes32 activityId);
    error ActivityAlreadyClaimed(bytes32 activityId, address worker, uint256 expiresAt);
    error GroupAlreadyClaimed(bytes32 activityId, address worker, bytes32 claimedActivityId);
    error NotAssignedWorker(bytes32 activityId, address assignedWorker, address caller);
    error NotRequester(bytes32 activityId, address requester, address caller);
    error LeaseExpired(bytes32 activityId, uint256 expiredAt, uint256 nowS);
    error LeaseNotExpired(bytes32 activityId, uint256 expiresAt, uint256 nowS);
    error LeaseDurationOutOfRange(uint256 leaseDurationS, uint256 maxS);
    error ProgressOutOfRange(bytes32 activityId, uint8 progress);
    error EmptyQueueName();
    error ZeroActivityType();

    constructor(SubnetControlPlane controlPlane_, uint256 leaseDurationS_) {
        controlPlane = controlPlane_;
        _setLeaseDuration(leaseDurationS_);
    }

    // ---- owner

    /// For claims and heartbeats from now on; leases that were given keep their end.
    function setLeaseDuration(uint256 newLeaseDurationS) external onlyOwner {
        _setLeaseDuration(newLeaseDurationS);
    }

    // ---- requesters

    /// Anybody may ask for work; the caller is the requester.
    function enqueueActivity(EnqueueParams calldata params) external returns (bytes32 activityId) {
        if (bytes(params.queueName).length == 0) revert EmptyQueueName();
        if (params.activityType == address(0)) revert ZeroActivityType();
        uint40 serial = ++_lastSerial;
        activityId = _idOf(serial);
        Stored storage activity = _activities[activityId];
        activity.status = Status.Queued;
        activity.workflowInstanceId = params.workflowInstanceId;
        activity.activityType = params.activityType;
        activity.createdAt = uint40(block.timestamp);
        activity.queue = _openQueue(params.queueName, params.partitionId);
        activity.requester = msg.sender;
        activity.serial = serial;
        activity.inputHash = _savePayload(params.inputData);
        activity.initHash = _savePayload(params.initData);
        if (params.exclusiveGroup != 0) {
            // Per requester, or a stranger could keep workers from a group by enqueueing into it.
            activity.hasGroup = true;
            activity.group = keccak256(abi.encode(msg.sender, params.exclusiveGroup));
        }
        _listFresh(activity);
        emit ActivityEnqueued(
            activityId,
            keccak256(bytes(params.queueName)),
            params.workflowInstanceId,
            params.queueName,
            params.partitionId,
            params.activityType,
            msg.sender
        );
    }

    /// Takes an activity that nobody is working on out of its queue. False, and nothing changed, when it
    /// is settled or a lease on it is valid.
    function withdrawActivity(bytes32 activityId) external returns (bool withdrawn) {
        Stored storage activity = _known(activityId);
        if (activity.requester != msg.sender) revert NotRequester(activityId, activity.requester, msg.sender);
        if (!_isClaimable(activity)) return false;
        if (activity.status == Status.Assigned) _expire(activityId, activity);
        _unlist(activity);
        activity.status = Status.Withdrawn;
        activity.previous = uint40(block.number);
        emit ActivityWithdrawn(activityId, msg.sender);
        return true;
    }

    // ---- workers

    /// Takes the activity for one lease. True, or a revert that says why not.
    function claimActivity(bytes32 activityId) external returns (bool) {
        Stored storage activity = _unsettled(activityId);
        if (activity.status == Status.Assigned) {
            if (!_isClaimable(activity)) {
                revert ActivityAlreadyClaimed(activityId, activity.worker, activity.expiresAt);
            }
            _expire(activityId, activity);
        }
        _claimGroup(activityId, activity);
        controlPlane.recordClaim(msg.sender);
        uint40 nowS = uint40(block.timestamp);
        uint40 expiresAt = nowS + uint40(leaseDurationS);
        activity.worker = msg.sender;
        activity.expiresAt = expiresAt;
        activity.lastHeartbeat = nowS;
        activity.progress = 0;
        activity.status = Status.Assigned;
        activity.assignedAt = nowS;
        _hold(activity);
        _listLeased(activity, expiresAt);
        emit ActivityClaimed(activityId, msg.sender, expiresAt);
        return true;
    }

    /// Renews the caller's lease to a full one from now, and says how far it is (0 to 100).
    function heartbeatActivity(bytes32 activityId, uint8 progress) external {
        Stored storage activity = _leasedByCaller(activityId);
        if (progress > 100) revert ProgressOutOfRange(activityId, progress);
        if (controlPlane.isWorkerSuspended(msg.sender)) revert SubnetControlPlane.WorkerIsSuspended(msg.sender);
        uint40 nowS = uint40(block.timestamp);
        uint40 expiresAt = nowS + uint40(leaseDurationS);
        activity.expiresAt = expiresAt;
        activity.lastHeartbeat = nowS;
        activity.progress = progress;
        if (activity.listedUntil <= nowS) _listLeased(activity, expiresAt);
        emit ActivityHeartbeat(activityId, msg.sender, progress, expiresAt);
    }

    function completeActivity(bytes32 activityId, bytes calldata resultData) external {
        Stored storage activity = _leasedByCaller(activityId);
        activity.progress = 100;
        _settle(activity, Status.Completed, resultData);
        emit ActivityCompleted(activityId, msg.sender, activity.resultHash);
    }

    function failActivity(bytes32 activityId, string calldata reason) external {
        Stored storage activity = _leasedByCaller(activityId);
        _settle(activity, Status.Failed, bytes(reason));
        emit ActivityFailed(activityId, msg.sender, reason);
    }

    /// Ends a lease that ran out, so that its worker's capacity is free before somebody takes the
    /// activity over. Anybody may call it.
    function releaseExpired(bytes32 activityId) external {
        Stored storage activity = _unsettled(activityId);
        if (activity.status != Status.Assigned) revert NotAssignedWorker(activityId, address(0), msg.sender);
        if (!_isClaimable(activity)) revert LeaseNotExpired(activityId, activity.expiresAt, block.timestamp);
        _expire(activityId, activity);
    }

    // ---- views

    /// The oldest activity of the queue that is claimable now. Called with a worker's address as sender,
    /// it passes over those which that worker may not claim because of their group.
    function pollActivity(string calldata queueName, uint16 partitionId)
        external
        view
        returns (Activity memory activity, bool hasActivity)
    {
        Queue storage queue = _queues[_queueNumber(queueName, partitionId)];
        uint40 lapsed = _oldestLapsed(queue.leasedHead);
        uint40 fresh = _oldestFresh(queue.freshHead);
        uint40 oldest = lapsed == 0 || (fresh != 0 && fresh < lapsed) ? fresh : lapsed;
        if (oldest == 0) return (activity, false);
        return (_toActivity(_idOf(oldest)), true);
    }

    function getActivity(bytes32 activityId) external view returns (Activity memory) {
        _known(activityId);
        return _toActivity(activityId);
    }

    /// What the worker was assigned and has not settled, in no particular order. Includes leases that ran
    /// out and that nobody took over or released yet: compare `expiresAt`.
    function getWorkerActivities(address worker) external view returns (bytes32[] memory activityIds) {
        uint40[] storage held = _held[worker];
        if (held.length == 0) return activityIds;
        activityIds = new bytes32[](held.length - 1);
        for (uint256 i = 0; i < activityIds.length; i++) activityIds[i] = _idOf(held[i + 1]);
    }

    function getOutcome(bytes32 activityId) external view returns (Outcome memory) {
        Stored storage activity = _known(activityId);
        return Outcome({
            isSettled: _isSettled(activity),
            success: activity.status == Status.Completed,
            resultHash: activity.resultHash,
            settledAtBlock: _isSettled(activity) ? activity.previous : 0
        });
    }

    /// `waiting` were never claimed; `leased` were claimed and not settled, expired leases included.
    function getQueueDepth(string calldata queueName, uint16 partitionId)
        external
        view
        returns (uint256 waiting, uint256 leased)
    {
        Queue storage queue = _queues[_queueNumber(queueName, partitionId)];
        return (queue.freshLength, queue.leasedLength);
    }

    // ---- internals

    function _setLeaseDuration(uint256 newLeaseDurationS) private {
        if (newLeaseDurationS == 0 || newLeaseDurationS > MAX_LEASE_DURATION_S) {
            revert LeaseDurationOutOfRange(newLeaseDurationS, MAX_LEASE_DURATION_S);
        }
        emit LeaseDurationChanged(leaseDurationS, newLeaseDurationS);
        leaseDurationS = newLeaseDurationS;
    }

    function _settle(Stored storage activity, Status status, bytes memory resultData) private {
        activity.status = status;
        activity.resultHash = _savePayload(resultData);
        _unlist(activity);
        activity.previous = uint40(block.number);
        _unhold(activity);
        controlPlane.recordSettlement(msg.sender, status == Status.Completed);
    }

    /// Takes a lease that ran out from its worker. The activity stays where it is listed, which is where
    /// `_oldestLapsed` finds it.
    function _expire(bytes32 activityId, Stored storage activity) private {
        address worker = activity.worker;
        emit ActivityExpired(activityId, worker, activity.expiresAt);
        _unhold(activity);
        activity.worker = address(0);
        activity.expiresAt = 0;
        activity.lastHeartbeat = 0;
        activity.progress = 0;
        activity.status = Status.Queued;
        activity.assignedAt = 0;
        controlPlane.recordExpiry(worker);
    }

    function _hold(Stored storage activity) private {
        uint40[] storage held = _held[msg.sender];
        if (held.length == 0) held.push(0);
        activity.heldIndex = uint16(held.length);
        held.push(activity.serial);
    }

    function _unhold(Stored storage activity) private {
        uint40[] storage held = _held[activity.worker];
        uint256 lastIndex = held.length - 1;
        uint40 last = held[lastIndex];
        if (last != activity.serial) {
            uint16 index = activity.heldIndex;
            held[index] = last;
            _at(last).heldIndex = index;
        }
        // Not `pop`, which would clear the element, for the next claim to pay for as a first write.
        assembly ("memory-safe") {
            sstore(held.slot, lastIndex)
        }
    }

    function _claimGroup(bytes32 activityId, Stored storage activity) private {
        if (!activity.hasGroup) return;
        bytes32 group = activity.group;
        bytes32 claimed = _groupClaims[group][msg.sender];
        if (_bindsGroup(claimed, msg.sender)) revert GroupAlreadyClaimed(activityId, msg.sender, claimed);
        _groupClaims[group][msg.sender] = activityId;
    }

    /// Whether the earlier claim still stands: held under a valid lease, or settled by that worker.
    function _bindsGroup(bytes32 claimed, address worker) private view returns (bool) {
        if (claimed == 0) return false;
        Stored storage activity = _activities[claimed];
        return activity.worker == worker && !_isClaimable(activity);
    }

    function _oldestLapsed(uint40 serial) private view returns (uint40 oldest) {
        for (uint256 n = 0; serial != 0 && n < MAX_POLL_SCAN; n++) {
            Stored storage activity = _at(serial);
            if (activity.listedUntil > block.timestamp) break;
            bool isOlder = oldest == 0 || serial < oldest;
            if (isOlder && _isClaimable(activity) && _mayJoinGroup(activity)) oldest = serial;
            serial = activity.next;
        }
    }

    function _oldestFresh(uint40 serial) private view returns (uint40) {
        for (uint256 n = 0; serial != 0 && n < MAX_POLL_SCAN; n++) {
            Stored storage activity = _at(serial);
            if (_mayJoinGroup(activity)) return serial;
            serial = activity.next;
        }
        return 0;
    }

    function _mayJoinGroup(Stored storage activity) private view returns (bool) {
        return !activity.hasGroup || !_bindsGroup(_groupClaims[activity.group][msg.sender], msg.sender);
    }

    function _isSettled(Stored storage activity) private view returns (bool) {
        return activity.status >= Status.Completed;
    }

    function _isClaimable(Stored storage activity) private view returns (bool) {
        if (activity.status == Status.Assigned) return block.timestamp >= activity.expiresAt;
        return activity.status == Status.Queued;
    }

    function _known(bytes32 activityId) private view returns (Stored storage activity) {
        activity = _activities[activityId];
        if (activity.status == Status.None) revert UnknownActivity(activityId);
    }

    function _unsettled(bytes32 activityId) private view returns (Stored storage activity) {
        activity = _known(activityId);
        if (_isSettled(activity)) revert ActivityAlreadySettled(activityId);
    }

    function _leasedByCaller(bytes32 activityId) private view returns (Stored storage activity) {
        activity = _unsettled(activityId);
        if (activity.worker != msg.sender) revert NotAssignedWorker(activityId, activity.worker, msg.sender);
        if (_isClaimable(activity)) revert LeaseExpired(activityId, activity.expiresAt, block.timestamp);
    }

    function _toActivity(bytes32 activityId) private view returns (Activity memory activity) {
        Stored storage stored = _activities[activityId];
        activity.activityId = activityId;
        activity.workflowInstanceId = stored.workflowInstanceId;
        activity.activityType = stored.activityType;
        activity.inputData = _loadPayload(stored.inputHash);
        activity.initData = _loadPayload(stored.initHash);
        activity.resultData = _loadPayload(stored.resultHash);
        activity.createdAt = stored.createdAt;
        activity.expiresAt = stored.expiresAt;
        activity.requester = stored.requester;
        activity.assignedWorker = stored.worker;
        activity.assignedAt = stored.assignedAt;
        activity.lastHeartbeat = stored.lastHeartbeat;
        activity.progress = stored.progress;
        activity.isAssigned = stored.worker != address(0);
        activity.isCompleted = _isSettled(stored);
        activity.success = stored.status == Status.Completed;
    }
}
