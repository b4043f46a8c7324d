// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// Lets a wallet make many calls in one transaction and stay `msg.sender` of each.
///
/// The wallet delegates to this code (EIP-7702) and sends its transactions to itself. So `address(this)` is
/// the wallet here, and the code runs with all its rights.
///
/// Who can do what:
/// 1. Only the wallet makes calls: `msg.sender == address(this)` holds in a transaction signed with its key,
///    and in a call that the wallet made itself, for nothing else can have its address. So there is no
///    signature to check and none to replay: the transaction's own nonce protects each batch.
/// 2. Everybody else can send it ether, as to any account, and nothing more. Every other call reverts.
/// 3. A target that calls back is not the wallet, so it falls under 2.
/// 4. No ether leaves through here, no code of others runs in the wallet's place, and no storage is used,
///    so nothing collides with a delegate before this one or after it.
/// 5. Delegating elsewhere, or to the zero address, takes effect with the transaction that carries the
///    authorization. Nothing stays behind. After that a batch sent to the wallet does nothing and yet
///    succeeds, which is why each batch that did run says so: `BatchExecuted`.
/// 6. At its own address this code has no owner and can do nothing.
contract BatchExecutor {
    /// `gas` is what the call gets: no less, and no more.
    struct Call {
        address to;
        uint64 gas;
        bytes data;
    }

    /// `gasUsed` counts the CALL itself too. `reason` is empty when `success`.
    struct Result {
        bool success;
        uint64 gasUsed;
        bytes reason;
    }

    /// A longer reason is cut.
    uint256 private constant MAX_REASON_BYTES = 256;
    /// What one byte of a reason costs in a log, with copying it. The reason is paid from what the call left
    /// of its gas, or calls that fail could burn what was meant for those behind them.
    uint256 private constant GAS_PER_REASON_BYTE = 10;
    /// What CALL may cost before it counts what it can give: a cold account and a cold delegate of it.
    uint256 private constant CALL_GAS = 5_300;

    event BatchExecuted(uint256 calls);
    event CallFailed(uint256 index, bytes reason);

    error NotTheWallet(address caller, address wallet);
    error TooLittleGas(uint256 index, uint256 gasLeft, uint256 gasNeeded);

    modifier onlyWallet() {
        if (msg.sender != address(this)) revert NotTheWallet(msg.sender, address(this));
        _;
    }

    /// Code at a wallet's address must not keep plain ether from it.
    receive() external payable {}

    /// Makes the calls in order. One that fails undoes itself alone and is told of by `CallFailed`. Reverts
    /// as a whole when a call could not get its gas: no gas limit, however low, makes a single call fail.
    function execute(Call[] calldata calls) external onlyWallet {
        for (uint256 i = 0; i < calls.length; i++) {
            Call calldata item = calls[i];
            (bool success, uint256 gasUsed) = _call(i, item);
            if (!success) _tellFailure(i, item.gas, gasUsed);
        }
        emit BatchExecuted(calls.length);
    }

    /// What each call would do, were `execute` called instead. For eth_call, from the wallet to itself.
    function simulate(Call[] calldata calls) external onlyWallet returns (Result[] memory results) {
        results = new Result[](calls.length);
        for (uint256 i = 0; i < calls.length; i++) {
            (bool success, uint256 gasUsed) = _call(i, calls[i]);
            bytes memory reason = success ? bytes("") : _reason(MAX_REASON_BYTES);
            results[i] = Result(success, uint64(gasUsed), reason);
        }
    }

    function _call(uint256 index, Call calldata item) private returns (bool success, uint256 gasUsed) {
        address to = item.to;
        uint256 callGas = item.gas;
        bytes calldata data = item.data;
        uint256 memoryStart;
        // Written over by the next call: memory that grew with each would cost more with each.
        assembly ("memory-safe") {
            memoryStart := mload(0x40)
            calldatacopy(memoryStart, data.offset, data.length)
        }
        // Nothing can overflow: a call's gas has 64 bits.
        unchecked {
            // CALL keeps back a 64th of what is left, and gives less than it was told to without a word.
            uint256 gasNeeded = callGas + callGas / 63 + CALL_GAS;
            uint256 gasBefore = gasleft();
            if (gasBefore < gasNeeded) revert TooLittleGas(index, gasBefore, gasNeeded);
            // No return data is copied: a target could answer with so much that this runs out of gas.
            assembly ("memory-safe") {
                success := call(callGas, to, 0, memoryStart, data.length, 0, 0)
            }
            gasUsed = gasBefore - gasleft();
        }
    }

    function _tellFailure(uint256 index, uint256 callGas, uint256 gasUsed) private {
        uint256 affordable = callGas > gasUsed ? (callGas - gasUsed) / GAS_PER_REASON_BYTE : 0;
        bytes memory reason = _reason(affordable < MAX_REASON_BYTES ? affordable : MAX_REASON_BYTES);
        emit CallFailed(index, reason);
        // Gives the memory back, for the same reason as above.
        assembly ("memory-safe") {
            mstore(0x40, reason)
        }
    }

    /// What the last call reverted with, or the beginning of it.
    function _reason(uint256 maxBytes) private pure returns (bytes memory reason) {
        uint256 size;
        assembly ("memory-safe") {
            size := returndatasize()
        }
        if (size > maxBytes) size = maxBytes;
        reason = new bytes(size);
        assembly ("memory-safe") {
            returndatacopy(add(reason, 32), 0, size)
        }
    }
}
