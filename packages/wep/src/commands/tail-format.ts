/** An envelope as it is shown: protobuf's JSON form, one message by its name. */
type Fields = Readonly<Record<string, unknown>>;

/** One line of `GET /tail`: a message, or how many were left out. */
export interface TailEvent {
  readonly direction?: "in" | "out";
  readonly atMs?: number;
  readonly peer?: string;
  readonly nodeId?: string;
  readonly envelope?: Readonly<Record<string, Fields>>;
  readonly lost?: number;
}

/** Long enough to tell the activities and runs of one WEP apart. */
const SHORT_ID_LENGTH = 10;
const MESSAGE_WIDTH = 14;

/** One line for people: time, direction seen from the WEP, message, activity, run, what matters. */
export function formatEvent(event: TailEvent): string {
  const { direction = "in", atMs = 0, envelope = {}, lost } = event;
  if (lost !== undefined) return `-- ${lost} messages are not shown: they came faster than they were read`;
  const [[name, fields] = ["(unknown)", {}]] = Object.entries(envelope);
  const parts = [
    new Date(atMs).toISOString().slice(11, 23),
    direction === "in" ? "in  <-" : "out ->",
    name.padEnd(MESSAGE_WIDTH),
    shortId(fields["activityId"]).padEnd(SHORT_ID_LENGTH),
    shortId(fields["runId"]).padEnd(SHORT_ID_LENGTH),
    printable(detailOf(name, fields, event)),
  ];
  return parts.join("  ").trimEnd();
}

/** The activity a message is about; `undefined` for one that is about none. */
export function activityOf({ envelope = {} }: TailEvent): string | undefined {
  const [fields] = Object.values(envelope);
  const id = fields?.["activityId"];
  return typeof id === "string" ? id : undefined;
}

function shortId(id: unknown): string {
  return typeof id === "string" ? id.slice(0, SHORT_ID_LENGTH) : "";
}

/** What a handler wrote must not move the cursor or change colours. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what it is about
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
}

/** What a message has to say, as words; a field that protobuf leaves out is 0 or empty. */
type Words = (fields: Fields, event: TailEvent) => readonly unknown[];

const version: Words = ({ min, max, agent, nodeId }, { peer }) => [
  min === max ? min : `${text(min)} to ${text(max)}`,
  agent,
  part("node", nodeId),
  peer,
];
const nothing: Words = () => [];

const DETAILS: Readonly<Record<string, Words>> = {
  hello: version,
  helloAck: version,
  capabilities: ({ maxConcurrency = 0, tags, classes, kinds }) => [
    `${text(maxConcurrency)} slots`,
    ...list(classes).map(({ name, maxConcurrency: slots = 0 }) => `${text(name)} ${text(slots)}`),
    part("tags", strings(tags).join(" ")),
    list(kinds).length > 0 ? `${list(kinds).length} kinds` : "any kind",
  ],
  capacity: ({ availableSlots = 0, classes }) => [
    `${text(availableSlots)} free`,
    ...list(classes).map(({ name, availableSlots: free = 0 }) => `${text(name)} ${text(free)}`),
  ],
  assign: ({ taskKind, taskVersion, attempt, inputs, checkpointRef }) => [
    `${text(taskKind)} ${text(taskVersion)}`,
    typeof attempt === "number" && attempt > 1 ? `attempt ${attempt}` : "",
    `${list(inputs).length} inputs`,
    part("from", checkpointRef),
  ],
  ack: nothing,
  completionAck: nothing,
  progress: ({ percent = 0, message, checkpointRef }) => [
    `${text(percent)}%`,
    message,
    part("checkpoint", checkpointRef),
  ],
  completion: ({ status, errorCode, error, retryable, resultInline, resultRef, latencyMs = 0 }) => [
    status,
    errorCode,
    error,
    retryable === true ? "retryable" : "",
    resultInline,
    resultRef,
    `${text(latencyMs)} ms`,
  ],
  cancel: ({ reason }) => [reason],
  drain: ({ reason }) => [reason],
  ping: nothing,
  pong: nothing,
  rejection: ({ errorCode, reason }) => [errorCode, reason],
  uploadRequest: ({ name, mediaType, sizeBytes = 0 }) => [name, mediaType, `${text(sizeBytes)} bytes`],
  uploadGrant: ({ objectKey, error }) => [objectKey, error],
  inventory: ({ runs }) => [
    `${list(runs).length} runs`,
    ...list(runs).map(({ runId, state }) => `${shortId(runId)} ${text(state)}`),
  ],
};

function detailOf(name: string, fields: Fields, event: TailEvent): string {
  const words = DETAILS[name]?.(fields, event) ?? [JSON.stringify(fields)];
  return words
    .map(text)
    .filter((word) => word !== "")
    .join(", ");
}

function text(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

function part(name: string, value: unknown): string {
  return text(value) === "" ? "" : `${name} ${text(value)}`;
}

function list(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? (value as readonly Fields[]) : [];
}

function strings(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(text) : [];
}
