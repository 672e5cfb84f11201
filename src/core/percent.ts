/** What percent escapes stand for (RFC 3986, section 2.1); a text that has a wrong one stays as it is. */
export function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
