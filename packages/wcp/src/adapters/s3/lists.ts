import {
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandInput,
  paginateListObjectsV2,
  type S3Client,
} from "@aws-sdk/client-s3";
import type { OpenMultipart, StoredObject } from "../../storage-ports.ts";

/** Every object below a prefix, in the store's order. */
export async function* listObjects(
  client: S3Client,
  bucket: string,
  prefix: string,
): AsyncGenerator<StoredObject> {
  for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: prefix })) {
    for (const { Key: objectKey, Size: sizeBytes = 0, LastModified: modified } of page.Contents ?? []) {
      if (objectKey !== undefined) yield { objectKey, sizeBytes, modifiedAtMs: modified?.getTime() ?? 0 };
    }
  }
}

/** Every upload in parts below a prefix that has not ended, in the store's order. */
export async function* listOpenMultiparts(
  client: S3Client,
  bucket: string,
  prefix: string,
): AsyncGenerator<OpenMultipart> {
  let page: ListMultipartUploadsCommandInput | undefined = { Bucket: bucket, Prefix: prefix };
  while (page !== undefined) {
    const answer: Awaited<ReturnType<typeof askFor>> = await askFor(client, page);
    for (const { Key: objectKey, UploadId: uploadId, Initiated: started } of answer.Uploads ?? []) {
      if (objectKey === undefined || uploadId === undefined) continue;
      yield { objectKey, uploadId, startedAtMs: started?.getTime() ?? 0 };
    }
    page =
      answer.IsTruncated === true
        ? {
            Bucket: bucket,
            Prefix: prefix,
            KeyMarker: answer.NextKeyMarker,
            UploadIdMarker: answer.NextUploadIdMarker,
          }
        : undefined;
  }
}

function askFor(client: S3Client, input: ListMultipartUploadsCommandInput) {
  return client.send(new ListMultipartUploadsCommand(input));
}
