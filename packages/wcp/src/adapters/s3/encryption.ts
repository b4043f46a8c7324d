/** How the store is to encrypt objects at rest. */
export interface Encryption {
  /** Empty: as the bucket has it, which is all that R2 knows. */
  readonly algorithm: "" | "AES256" | "aws:kms";
  /** Of `aws:kms`; empty for the account's own key. */
  readonly kmsKeyId: string;
}

/** What a PUT has to say, exactly. */
export function encryptionHeaders({ algorithm, kmsKeyId }: Encryption): Readonly<Record<string, string>> {
  if (algorithm === "") return {};
  return {
    "x-amz-server-side-encryption": algorithm,
    ...(algorithm === "aws:kms" && kmsKeyId !== ""
      ? { "x-amz-server-side-encryption-aws-kms-key-id": kmsKeyId }
      : {}),
  };
}

export interface EncryptionInput {
  readonly ServerSideEncryption?: "AES256" | "aws:kms";
  readonly SSEKMSKeyId?: string;
}

/** The same as the client wants it. */
export function encryptionInput({ algorithm, kmsKeyId }: Encryption): EncryptionInput {
  if (algorithm === "") return {};
  return {
    ServerSideEncryption: algorithm,
    ...(algorithm === "aws:kms" && kmsKeyId !== "" ? { SSEKMSKeyId: kmsKeyId } : {}),
  };
}
