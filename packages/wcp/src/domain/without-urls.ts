/** A text without its URLs, which may be signed: whoever reads one in a log could use it. */
export function withoutUrls(text: string): string {
  return text.replace(/\b[a-z][a-z0-9+.-]*:\/\/[^\s"'<>]+/gi, "[URL]");
}

// What follows the question mark of a presigned URL is a credential.
const QUERY = /(\bhttps?:\/\/[^\s"'?#<>\\]*)\?[^\s"'<>\\]*/gi;
// Some clients name the path alone.
const SIGNATURE = /([?&](?:x-amz-signature|x-amz-security-token|signature|sig)=)[^\s&"'<>\\]+/gi;

/** A text with URLs that say where they lead and are good for nothing. Takes long for long texts: cut them first. */
export function withoutQueries(text: string): string {
  return text.replace(QUERY, "$1?…").replace(SIGNATURE, "$1…");
}
