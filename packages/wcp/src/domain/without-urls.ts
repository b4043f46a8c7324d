/** A text without its URLs, which may be signed: whoever reads one in a log could use it. */
export function withoutUrls(text: string): string {
  return text.replace(/\b[a-z][a-z0-9+.-]*:\/\/[^\s"'<>]+/gi, "[URL]");
}
