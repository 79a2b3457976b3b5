/** A build's date stamp: `20260518`, `20260518.2`, `20260829_05:24`. */
const SERIAL = /^(?<date>\d{8})(?:[._-](?<rest>\d{1,4}(?::\d{2})?))?$/

export function isSerial(text: string): boolean {
  return SERIAL.test(text)
}

/** Orders serials by date, then by the number or the time of day behind it: `.10` is newer than `.9`. */
export function compareSerials(a: string, b: string): number {
  const [left, right] = [serialNumbers(a), serialNumbers(b)]
  return left.date - right.date || left.rest - right.rest
}

/** Midnight UTC of a serial's day; undefined when it names none. */
export function serialDay(serial: string): Date | undefined {
  const match = /^(\d{4})(\d{2})(\d{2})/.exec(serial)
  if (match === null) return undefined
  const day = new Date(`${match[1]}-${match[2]}-${match[3]}T00:00:00Z`)
  return Number.isNaN(day.getTime()) ? undefined : day
}

function serialNumbers(serial: string): {date: number; rest: number} {
  const {date = '0', rest = '0'} = SERIAL.exec(serial)?.groups ?? {}
  return {date: Number(date), rest: Number(rest.replace(':', ''))}
}
