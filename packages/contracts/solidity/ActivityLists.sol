// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// Activities as stored, and the doubly linked lists that keep only the unsettled ones in reach.
///
/// Invariants:
/// 1. An activity is in exactly one list while unsettled, and in none afterwards. So finding work never
///    walks settled activities, however many there are.
/// 2. `fresh` holds what was never claimed, in the order it was enqueued.
/// 3. `leased` holds what was claimed at least once, by `listedUntil`: the end of the lease at the time
///    the activity was put last in the list. A heartbeat makes the lease end later than that without
///    moving the activity, and moves it only once `listedUntil` has passed. So heartbeats are cheap, and
///    behind the first activity with `listedUntil` in the future no lease has run out. (When the owner
///    shortens leases, later ones may run out earlier; polling then finds them late by up to the
///    difference, and claiming them by id works at once.)
abstract contract ActivityLists {
    enum Status {
        Queued,
        Assigned,
        Completed,
        Failed,
        Withdrawn
    }

    /// Packed by what is written together: claim and heartbeat write `worker`..`status`, listing and
    /// settling write `previous`..`settledAtBlock`.
    struct Stored {
        bytes32 workflowInstanceId;
        address activityType;
        uint40 createdAt;
        uint32 queue;
        address requester;
        uint48 serial;
        address worker;
        uint40 expiresAt;
        uint40 lastHeartbeat;
        uint8 progress;
        Status status;
        uint48 previous;
        uint48 next;
        uint40 listedUntil;
        uint40 assignedAt;
        uint32 heldIndex;
        uint48 settledAtBlock;
        bytes32 inputHash;
        bytes32 initHash;
        bytes32 resultHash;
        bytes32 group;
    }

    /// Serials of its ends; 0 is "none".
    struct List {
        uint48 head;
        uint48 tail;
        uint32 length;
    }

    struct Queue {
        List fresh;
        List leased;
    }

    uint48 internal _lastSerial;
    uint32 private _lastQueue;
    mapping(bytes32 activityId => Stored) internal _activities;
    mapping(bytes32 queueKey => uint32 queue) private _queueNumbers;
    mapping(uint32 queue => Queue) internal _queues;

    /// Unique across chains and deployments, because it is made of both and a counter.
    function _idOf(uint48 serial) internal view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), serial));
    }

    function _at(uint48 serial) internal view returns (Stored storage) {
        return _activities[_idOf(serial)];
    }

    /// 0 when nothing was ever put in this queue.
    function _queueNumber(string memory queueName, uint16 partitionId) internal view returns (uint32) {
        return _queueNumbers[keccak256(abi.encode(queueName, partitionId))];
    }

    function _openQueue(string memory queueName, uint16 partitionId) internal returns (uint32 queue) {
        bytes32 key = keccak256(abi.encode(queueName, partitionId));
        queue = _queueNumbers[key];
        if (queue == 0) {
            queue = ++_lastQueue;
            _queueNumbers[key] = queue;
        }
    }

    function _listFresh(Stored storage activity) internal {
        _append(_queues[activity.queue].fresh, activity);
    }

    /// Puts a just claimed or just renewed activity last among the leased ones.
    function _listLeased(Stored storage activity, uint40 until) internal {
        _unlist(activity);
        activity.listedUntil = until;
        _append(_queues[activity.queue].leased, activity);
    }

    function _unlist(Stored storage activity) internal {
        Queue storage queue = _queues[activity.queue];
        List storage list = activity.listedUntil == 0 ? queue.fresh : queue.leased;
        uint48 previous = activity.previous;
        uint48 next = activity.next;
        if (previous == 0) list.head = next;
        else _at(previous).next = next;
        if (next == 0) list.tail = previous;
        else _at(next).previous = previous;
        list.length -= 1;
    }

    function _append(List storage list, Stored storage activity) private {
        uint48 serial = activity.serial;
        uint48 tail = list.tail;
        activity.previous = tail;
        activity.next = 0;
        if (tail == 0) list.head = serial;
        else _at(tail).next = serial;
        list.tail = serial;
        list.length += 1;
    }
}
