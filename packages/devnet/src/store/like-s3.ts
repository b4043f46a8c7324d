import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { S3Context, S3Middleware } from "@20minutes/s3rver";
import S3Error from "@20minutes/s3rver/lib/models/error.js";
import type { AtomicStore } from "./atomic-store.ts";

const UPLOAD_ID = /^[0-9a-f]{32}$/;

/**
 * What S3 does and s3rver does not, for requests that s3rver has found to be signed: uploads in
 * parts can be aborted and listed. Goes right before its router.
 */
export function likeS3(store: AtomicStore): S3Middleware {
  return async (ctx, next) => {
    // The AWS SDK signs the path of a bucket with the slash that it ends in; s3rver looks at it without.
    if (/^\/[^/]+\/$/.test(ctx.path)) Object.assign(ctx, { mountPath: "/" }).state.vhost = true;
    try {
      await next();
    } catch (error) {
      const isKnownCaller = ctx.state.account !== undefined;
      if (!isKnownCaller || !(error instanceof S3Error) || !(await answered(ctx, store, error))) throw error;
    }
  };
}

async function answered(ctx: S3Context, store: AtomicStore, error: S3Error): Promise<boolean> {
  const { uploadId } = ctx.query;
  if (error.code === "MethodNotAllowed" && ctx.method === "DELETE" && uploadId !== undefined) {
    await abortUpload(ctx, store, uploadId);
    return true;
  }
  if (error.code === "NotImplemented" && ctx.method === "GET" && ctx.query.uploads !== undefined) {
    ctx.body = await listUploads(ctx, store);
    return true;
  }
  return false;
}

async function abortUpload(ctx: S3Context, store: AtomicStore, uploadId: string): Promise<void> {
  const path = store.uploadPath(ctx.params.bucket, uploadId);
  const isThere = UPLOAD_ID.test(uploadId) && (await stat(path).catch(() => undefined)) !== undefined;
  if (!isThere) throw new S3Error("NoSuchUpload", "The specified upload does not exist.");
  await rm(path, { recursive: true, force: true });
  ctx.status = 204;
}

async function listUploads(ctx: S3Context, store: AtomicStore): Promise<Record<string, unknown>> {
  const { bucket } = ctx.params;
  const prefix = ctx.query.prefix ?? "";
  const names = await readdir(store.uploadPath(bucket, "")).catch(() => []);
  const uploads = await Promise.all(names.map((id) => readUpload(store.uploadPath(bucket, id), id)));
  return {
    ListMultipartUploadsResult: {
      "@": { xmlns: "http://s3.amazonaws.com/doc/2006-03-01/" },
      Bucket: bucket,
      Prefix: prefix,
      IsTruncated: false,
      Upload: uploads.filter((upload) => upload?.Key.startsWith(prefix) === true),
    },
  };
}

/** `undefined` when it has ended meanwhile. */
async function readUpload(path: string, uploadId: string) {
  try {
    const key = await readFile(join(path, "key"), "utf8");
    return { Key: key, UploadId: uploadId, Initiated: (await stat(path)).birthtime.toISOString() };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
