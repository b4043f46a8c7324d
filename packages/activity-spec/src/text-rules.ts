// What the texts of a spec file look like; schema.json has the same patterns, which a test holds it to.
import type { TextRule } from "./yaml-fields.ts";

export const ANY_TEXT: TextRule = { remedy: "write text" };
export const WORKFLOW_VERSION: TextRule = {
  pattern: /^[A-Za-z0-9][\w.-]*\/\d{1,9}\.\d{1,9}\.\d{1,9}$/,
  remedy: "write the workflow's name and semantic version, like video/1.1.0",
};
export const SEMVER: TextRule = {
  pattern: /^\d{1,9}\.\d{1,9}\.\d{1,9}$/,
  remedy: 'write a semantic version, like "1.0.0"',
};
export const PARAM_NAME: TextRule = {
  pattern: /^[A-Za-z_]\w*$/,
  remedy: "write letters, digits and _, like audio_object_key",
};
export const TYPE: TextRule = {
  remedy: "write a Solidity ABI type, like string or (bool,uint256)[]; within { } it needs quotes",
};
export const MEDIA_TYPE: TextRule = {
  pattern: /^[\w.+-]+\/[\w.+*-]+$/,
  remedy: "write a media type, like audio/wav",
};

/** A name that can be a part of a queue name and a handler's name. */
export function slug(example: string): TextRule {
  return {
    pattern: /^[A-Za-z0-9][\w.-]*$/,
    remedy: `write letters, digits, ".", "_" and "-", like ${example}`,
  };
}
