// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// Bytes kept once under their keccak256.
///
/// The replicas of a step share their input, every step shares the workflow's input, and a step's result
/// is the next step's input: stored by value each would be paid for again, at 22,100 gas per 32 bytes.
abstract contract PayloadStore {
    /// Bounds what a reader must load when somebody else wrote it: `resumeWorkflow` reads a worker's
    /// result, and must not be made too dear to call.
    uint256 public constant MAX_PAYLOAD_BYTES = 16_384;

    mapping(bytes32 payloadHash => bytes) private _payloads;

    error PayloadTooLarge(uint256 sizeBytes, uint256 maxBytes);
    error UnknownPayload(bytes32 payloadHash);

    /// The bytes whose keccak256 is `payloadHash`.
    function getPayload(bytes32 payloadHash) external view returns (bytes memory payload) {
        payload = _payloads[payloadHash];
        if (keccak256(payload) != payloadHash) revert UnknownPayload(payloadHash);
    }

    function _savePayload(bytes memory payload) internal returns (bytes32 payloadHash) {
        if (payload.length > MAX_PAYLOAD_BYTES) revert PayloadTooLarge(payload.length, MAX_PAYLOAD_BYTES);
        payloadHash = keccak256(payload);
        if (payload.length != 0 && _payloads[payloadHash].length == 0) _payloads[payloadHash] = payload;
    }

    /// Empty for the zero hash, which stands for "none yet".
    function _loadPayload(bytes32 payloadHash) internal view returns (bytes memory) {
        return _payloads[payloadHash];
    }
}
