// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {TaskQueue} from "./TaskQueue.sol";

/// Runs workflows: ordered steps, each a set of equal activities in the TaskQueue.
///
/// Nobody is trusted to report: `resumeWorkflow` reads what the TaskQueue says, so anybody may call it and
/// the outcome is the same whoever does. The only contract called from here is that TaskQueue.
contract WorkflowEngine {
    enum WorkflowStatus {
        Running,
        Completed,
        Failed
    }

    enum StepStatus {
        Pending,
        Running,
        Succeeded,
        Failed,
        Skipped
    }

    /// `numWorkers` different workers run the step; it succeeds once `quorum` of them gave equal results.
    /// `skipOnPrevSuccess` makes it a fallback: it runs only when the step before it failed.
    struct StepDefinition {
        address activityType;
        string workerClass;
        uint16 numWorkers;
        uint16 quorum;
        bool skipOnPrevSuccess;
    }

    /// `result` is that of the last step that succeeded, and empty when none did.
    struct WorkflowView {
        string workflow;
        WorkflowStatus status;
        uint16 currentStep;
        uint16 stepCount;
        bytes input;
        bytes result;
        string failureReason;
        address requester;
        uint256 startedAt;
    }

    struct Instance {
        bytes32 workflowHash;
        address requester;
        uint40 startedAt;
        uint16 currentStep;
        WorkflowStatus status;
        bytes32 inputHash;
        /// 0 until a step succeeded.
        bytes32 resultHash;
        /// Whose reason is the workflow's; 0 when it failed for want of equal results.
        bytes32 failedActivity;
    }

    struct Step {
        StepStatus status;
        bytes32[] activityIds;
    }

    /// `decisive` is the activity whose result or whose failure decided; 0 when none alone did.
    struct Verdict {
        StepStatus status;
        uint256 settledCount;
        bytes32 decisive;
        bytes32 resultHash;
    }

    uint256 public constant MAX_STEPS = 64;
    /// Judging a step compares every pair of results.
    uint16 public constant MAX_WORKERS_PER_STEP = 32;
    uint16 public constant PARTITION_ID = 0;

    TaskQueue public immutable taskQueue;

    uint256 private _lastInstance;
    mapping(bytes32 workflowHash => string) private _names;
    mapping(bytes32 workflowHash => StepDefinition[]) private _definitions;
    mapping(bytes32 instance => Instance) private _instances;
    mapping(bytes32 instance => mapping(uint16 step => Step)) private _steps;

    event WorkflowRegistered(
        bytes32 indexed workflowHash, address indexed registrant, string workflow, uint256 stepCount
    );
    event WorkflowStarted(
        bytes32 indexed instance, bytes32 indexed workflowHash, address indexed requester, string workflow
    );
    event StepEnqueued(bytes32 indexed instance, uint16 indexed step, string queueName, bytes32[] activityIds);
    event StepFinalised(bytes32 indexed instance, uint16 indexed step, bool success, bytes32 resultHash);
    event StepSkipped(bytes32 indexed instance, uint16 indexed step);
    event WorkflowResumed(bytes32 indexed instance, uint16 indexed step, address indexed caller);
    event WorkflowCompleted(bytes32 indexed instance, bytes32 resultHash);
    event WorkflowFailed(bytes32 indexed instance, uint16 indexed step, string reason);

    error EmptyWorkflowName();
    error WorkflowAlreadyRegistered(string workflow);
    error UnknownWorkflow(string workflow);
    error StepCountOutOfRange(string workflow, uint256 stepCount, uint256 maxSteps);
    error EmptyWorkerClass(uint256 step);
    error StepWithoutActivityType(uint256 step);
    error NumWorkersOutOfRange(uint256 step, uint16 numWorkers, uint16 maxWorkers);
    error QuorumOutOfRange(uint256 step, uint16 quorum, uint16 numWorkers);
    error UnknownWorkflowInstance(bytes32 instance);
    error WorkflowNotRunning(bytes32 instance, WorkflowStatus status);
    error StepNotFinalised(bytes32 instance, uint16 step, uint256 settledCount, uint256 activityCount);
    error StepOutOfRange(bytes32 instance, uint16 step, uint256 stepCount);

    constructor(TaskQueue taskQueue_) {
        taskQueue = taskQueue_;
    }

    // ---- definitions

    /// Registers `workflow` (name and version, like `audio/1.0.0`) for good: what an instance will do is
    /// fixed by the name it was started with. Anybody may register; the first one has the name.
    function registerWorkflow(string calldata workflow, StepDefinition[] calldata steps) external {
        if (bytes(workflow).length == 0) revert EmptyWorkflowName();
        bytes32 workflowHash = keccak256(bytes(workflow));
        StepDefinition[] storage definition = _definitions[workflowHash];
        if (definition.length != 0) revert WorkflowAlreadyRegistered(workflow);
        if (steps.length == 0 || steps.length > MAX_STEPS) {
            revert StepCountOutOfRange(workflow, steps.length, MAX_STEPS);
        }
        _names[workflowHash] = workflow;
        for (uint256 i = 0; i < steps.length; i++) {
            StepDefinition calldata step = steps[i];
            if (step.activityType == address(0)) revert StepWithoutActivityType(i);
            if (bytes(step.workerClass).length == 0) revert EmptyWorkerClass(i);
            if (step.numWorkers == 0 || step.numWorkers > MAX_WORKERS_PER_STEP) {
                revert NumWorkersOutOfRange(i, step.numWorkers, MAX_WORKERS_PER_STEP);
            }
            if (step.quorum == 0 || step.quorum > step.numWorkers) {
                revert QuorumOutOfRange(i, step.quorum, step.numWorkers);
            }
            definition.push(step);
        }
        emit WorkflowRegistered(workflowHash, msg.sender, workflow, steps.length);
    }

    function getDefinition(string calldata workflow) external view returns (StepDefinition[] memory) {
        return _definitions[_registered(workflow)];
    }

    // ---- instances

    function startWorkflow(string calldata workflow, bytes calldata input) external returns (bytes32 instance) {
        bytes32 workflowHash = _registered(workflow);
        instance = keccak256(abi.encode(block.chainid, address(this), ++_lastInstance));
        Instance storage state = _instances[instance];
        state.workflowHash = workflowHash;
        state.requester = msg.sender;
        state.startedAt = uint40(block.timestamp);
        state.inputHash = keccak256(input);
        emit WorkflowStarted(instance, workflowHash, msg.sender, workflow);
        _enqueueStep(instance, 0, input, input);
    }

    /// Moves the workflow past its current step, once that is finalised: enqueues the next step or ends
    /// the workflow. Anybody may call it.
    function resumeWorkflow(bytes32 instance) external {
        Instance storage state = _known(instance);
        if (state.status != WorkflowStatus.Running) revert WorkflowNotRunning(instance, state.status);
        uint16 current = state.currentStep;
        Step storage step = _steps[instance][current];
        Verdict memory verdict = _judge(state, step);
        if (verdict.status == StepStatus.Running) {
            revert StepNotFinalised(instance, current, verdict.settledCount, step.activityIds.length);
        }
        step.status = verdict.status;
        bool success = verdict.status == StepStatus.Succeeded;
        if (success) state.resultHash = verdict.resultHash;
        emit WorkflowResumed(instance, current, msg.sender);
        emit StepFinalised(instance, current, success, verdict.resultHash);
        _withdrawIdle(step.activityIds);
        if (success) _advanceAfterSuccess(instance, state);
        else _advanceAfterFailure(instance, state, verdict.decisive);
    }

    /// Whether `resumeWorkflow` would do something now.
    function isResumable(bytes32 instance) external view returns (bool) {
        Instance storage state = _known(instance);
        if (state.status != WorkflowStatus.Running) return false;
        return _judge(state, _steps[instance][state.currentStep]).status != StepStatus.Running;
    }

    function getWorkflow(bytes32 instance) external view returns (WorkflowView memory) {
        Instance storage state = _known(instance);
        return WorkflowView({
            workflow: _names[state.workflowHash],
            status: state.status,
            currentStep: state.currentStep,
            stepCount: uint16(_definitions[state.workflowHash].length),
            input: taskQueue.getPayload(state.inputHash),
            result: state.resultHash == 0 ? bytes("") : taskQueue.getPayload(state.resultHash),
            failureReason: state.status == WorkflowStatus.Failed ? _failureReason(state) : "",
            requester: state.requester,
            startedAt: state.startedAt
        });
    }

    /// Empty for a step that was skipped or has not been reached.
    function getStepActivities(bytes32 instance, uint16 step) external view returns (bytes32[] memory) {
        return _knownStep(instance, step).activityIds;
    }

    /// As of the last `resumeWorkflow`: a step that is finalised and waits for it is still Running.
    function getStepStatus(bytes32 instance, uint16 step) external view returns (StepStatus) {
        return _knownStep(instance, step).status;
    }

    // ---- internals

    /// The next step that is no fallback, or the end.
    function _advanceAfterSuccess(bytes32 instance, Instance storage state) private {
        StepDefinition[] storage definition = _definitions[state.workflowHash];
        uint16 next = state.currentStep + 1;
        while (next < definition.length && definition[next].skipOnPrevSuccess) {
            _steps[instance][next].status = StepStatus.Skipped;
            emit StepSkipped(instance, next);
            next += 1;
        }
        if (next < definition.length) {
            state.currentStep = next;
            _enqueueNext(instance, state);
        } else {
            state.currentStep = next - 1;
            state.status = WorkflowStatus.Completed;
            emit WorkflowCompleted(instance, state.resultHash);
        }
    }

    /// The next step if it is a fallback, with the input that the failed step had; else the end.
    function _advanceAfterFailure(bytes32 instance, Instance storage state, bytes32 decisive) private {
        StepDefinition[] storage definition = _definitions[state.workflowHash];
        uint16 next = state.currentStep + 1;
        if (next < definition.length && definition[next].skipOnPrevSuccess) {
            state.currentStep = next;
            _enqueueNext(instance, state);
        } else {
            state.status = WorkflowStatus.Failed;
            state.failedActivity = decisive;
            emit WorkflowFailed(instance, state.currentStep, _failureReason(state));
        }
    }

    function _enqueueNext(bytes32 instance, Instance storage state) private {
        bytes memory init = taskQueue.getPayload(state.inputHash);
        bytes memory input = state.resultHash == 0 ? init : taskQueue.getPayload(state.resultHash);
        _enqueueStep(instance, state.currentStep, input, init);
    }

    function _enqueueStep(bytes32 instance, uint16 index, bytes memory input, bytes memory init) private {
        bytes32 workflowHash = _instances[instance].workflowHash;
        StepDefinition storage definition = _definitions[workflowHash][index];
        uint256 count = definition.numWorkers;
        TaskQueue.EnqueueParams memory params = TaskQueue.EnqueueParams({
            queueName: string.concat(_names[workflowHash], "/", definition.workerClass),
            partitionId: PARTITION_ID,
            workflowInstanceId: instance,
            activityType: definition.activityType,
            inputData: input,
            initData: init,
            exclusiveGroup: count == 1 ? bytes32(0) : keccak256(abi.encode(instance, index))
        });
        Step storage step = _steps[instance][index];
        step.status = StepStatus.Running;
        for (uint256 i = 0; i < count; i++) step.activityIds.push(taskQueue.enqueueActivity(params));
        emit StepEnqueued(instance, index, params.queueName, step.activityIds);
    }

    /// Once a step is decided its unclaimed replicas are work for nothing. Those that are being worked on
    /// may be finished, and change nothing here.
    function _withdrawIdle(bytes32[] storage activityIds) private {
        if (activityIds.length == 1) return;
        for (uint256 i = 0; i < activityIds.length; i++) taskQueue.withdrawActivity(activityIds[i]);
    }

    /// Succeeded when `quorum` results are equal; of several such sets the one complete in the earliest
    /// block counts, so that later replicas cannot change it. Failed when what is open cannot make one.
    function _judge(Instance storage state, Step storage step) private view returns (Verdict memory verdict) {
        uint256 quorum = _definitions[state.workflowHash][state.currentStep].quorum;
        bytes32[] memory ids = step.activityIds;
        TaskQueue.Outcome[] memory outcomes = new TaskQueue.Outcome[](ids.length);
        for (uint256 i = 0; i < ids.length; i++) {
            outcomes[i] = taskQueue.getOutcome(ids[i]);
            if (!outcomes[i].isSettled) continue;
            verdict.settledCount += 1;
            if (!outcomes[i].success && verdict.decisive == 0) verdict.decisive = ids[i];
        }
        (uint256 most, uint256 winner) = _tally(outcomes, quorum);
        if (winner < ids.length) {
            verdict.status = StepStatus.Succeeded;
            verdict.decisive = ids[winner];
            verdict.resultHash = outcomes[winner].resultHash;
        } else {
            bool canSucceed = most + ids.length - verdict.settledCount >= quorum;
            verdict.status = canSucceed ? StepStatus.Running : StepStatus.Failed;
        }
    }

    /// `most`: the size of the largest set of equal results. `winner`: the outcome that completed a
    /// quorum first; outcomes.length when there is none.
    function _tally(TaskQueue.Outcome[] memory outcomes, uint256 quorum)
        private
        pure
        returns (uint256 most, uint256 winner)
    {
        winner = outcomes.length;
        uint256 earliest = type(uint256).max;
        for (uint256 i = 0; i < outcomes.length; i++) {
            if (!outcomes[i].success) continue;
            uint256 equalSoFar = 0;
            for (uint256 j = 0; j < outcomes.length; j++) {
                bool isEqual = outcomes[j].success && outcomes[j].resultHash == outcomes[i].resultHash;
                if (isEqual && outcomes[j].settledAtBlock <= outcomes[i].settledAtBlock) equalSoFar += 1;
            }
            if (equalSoFar > most) most = equalSoFar;
            if (equalSoFar >= quorum && outcomes[i].settledAtBlock < earliest) {
                earliest = outcomes[i].settledAtBlock;
                winner = i;
            }
        }
    }

    function _failureReason(Instance storage state) private view returns (string memory) {
        if (state.failedActivity != 0) {
            return string(taskQueue.getPayload(taskQueue.getOutcome(state.failedActivity).resultHash));
        }
        StepDefinition storage definition = _definitions[state.workflowHash][state.currentStep];
        return string.concat(
            "quorum not reached: fewer than ",
            _decimal(definition.quorum),
            " of ",
            _decimal(definition.numWorkers),
            " results are equal"
        );
    }

    /// For numbers of at most two digits.
    function _decimal(uint16 value) private pure returns (string memory) {
        bytes1 ones = bytes1(uint8(48 + (value % 10)));
        if (value < 10) return string(abi.encodePacked(ones));
        return string(abi.encodePacked(bytes1(uint8(48 + value / 10)), ones));
    }

    function _registered(string calldata workflow) private view returns (bytes32 workflowHash) {
        workflowHash = keccak256(bytes(workflow));
        if (_definitions[workflowHash].length == 0) revert UnknownWorkflow(workflow);
    }

    function _known(bytes32 instance) private view returns (Instance storage state) {
        state = _instances[instance];
        if (state.requester == address(0)) revert UnknownWorkflowInstance(instance);
    }

    function _knownStep(bytes32 instance, uint16 step) private view returns (Step storage) {
        uint256 stepCount = _definitions[_known(instance).workflowHash].length;
        if (step >= stepCount) revert StepOutOfRange(instance, step, stepCount);
        return _steps[instance][step];
    }
}
