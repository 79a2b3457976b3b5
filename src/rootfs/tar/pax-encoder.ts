/** A key and its value; both byte strings (latin1, one character a byte). */
export type PaxRecord = readonly [key: string, value: string]

/**
 * Encodes the body of a pax header: `LENGTH KEY=VALUE\n`; the length includes its own digits.
 *
 * @see POSIX pax, "pax Extended Header"
 */
export function encodePaxRecords(records: readonly PaxRecord[]): Buffer {
  return Buffer.from(records.map(formatRecord).join(''), 'latin1')
}

function formatRecord([key, value]: PaxRecord): string {
  const rest = ` ${key}=${value}\n`
  let length = rest.length
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return `${length}${rest}`
}
