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
/// 4. No slot that a claim writes was zero before, for enqueueing wrote it: `status` and `serial` are not 0.
///    A first write costs four times as much as a later one, and claims are made in haste.
abstract contract ActivityLists {
    /// `None` is what an id has that was never given out.
    enum Status {
        None,
        Queued,
        Assigned,
        Completed,
        Failed,
        Withdrawn
    }

    /// Packed by what is written together. Claim, heartbeat and settlement write the first slot, `worker` to
    /// `status`; claim and settlement the second, `previous` to `hasGroup`. None of them needs another.
    struct Stored {
        address worker;
        uint40 expiresAt;
        uint40 lastHeartbeat;
        uint8 progress;
        Status status;
        /// The block of its settlement, once settled, when it is in no list.
        uint40 previous;
        uint40 next;
        uint40 listedUntil;
        uint40 assignedAt;
        uint40 serial;
        /// At most SubnetControlPlane.MAX_CAPACITY, since what is held counts against the capacity.
        uint16 heldIndex;
        uint32 queue;
        bool hasGroup;
        address activityType;
        uint40 createdAt;
        address requester;
        bytes32 workflowInstanceId;
        bytes32 inputHash;
        bytes32 initHash;
        bytes32 resultHash;
        bytes32 group;
    }

    /// Two lists in one slot: serials of their ends, 0 for "none", and lengths.
    struct Queue {
        uint40 freshHead;
        uint40 freshTail;
        uint32 freshLength;
        uint40 leasedHead;
        uint40 leasedTail;
        uint32 leasedLength;
    }

    uint40 internal _lastSerial;
    uint32 private _lastQueue;
    mapping(bytes32 activityId => Stored) internal _activities;
    mapping(bytes32 queueKey => uint32 queue) private _queueNumbers;
    mapping(uint32 queue => Queue) internal _queues;

    /// Unique across chains and deployments, because it is made of both and a counter.
    function _idOf(uint40 serial) internal view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), serial));
    }

    function _at(uint40 serial) internal view returns (Stored storage) {
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
        Queue storage queue = _queues[activity.queue];
        uint40 tail = queue.freshTail;
        if (tail == 0) queue.freshHead = activity.serial;
        _append(activity, tail);
        queue.freshTail = activity.serial;
        queue.freshLength += 1;
    }

    /// Puts a just claimed or just renewed activity last among the leased ones.
    function _listLeased(Stored storage activity, uint40 until) internal {
        _unlist(activity);
        activity.listedUntil = until;
        Queue storage queue = _queues[activity.queue];
        uint40 tail = queue.leasedTail;
        if (tail == 0) queue.leasedHead = activity.serial;
        _append(activity, tail);
        queue.leasedTail = activity.serial;
        queue.leasedLength += 1;
    }

    function _unlist(Stored storage activity) internal {
        Queue storage queue = _queues[activity.queue];
        uint40 previous = activity.previous;
        uint40 next = activity.next;
        if (previous != 0) _at(previous).next = next;
        if (next != 0) _at(next).previous = previous;
        if (activity.listedUntil == 0) {
            if (previous == 0) queue.freshHead = next;
            if (next == 0) queue.freshTail = previous;
            queue.freshLength -= 1;
        } else {
            if (previous == 0) queue.leasedHead = next;
            if (next == 0) queue.leasedTail = previous;
            queue.leasedLength -= 1;
        }
    }

    function _append(Stored storage activity, uint40 tail) private {
        activity.previous = tail;
        activity.next = 0;
        if (tail != 0) _at(tail).next = activity.serial;
    }
}
