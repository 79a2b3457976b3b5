/** A part of a binary package, and its position in the file. */
export type DebPart = {
  /** `control.tar.xz`, `data.tar.zst`; the first bytes of the part decide, not this suffix. */
  readonly name: string
  readonly offset: number
  readonly sizeBytes: number
}

/** The two archives of a binary package: control data, and files. */
export type DebParts = {readonly control: DebPart; readonly data: DebPart}

/** The reason why a file is not a binary package. */
export class DebFormatError extends Error {
  constructor(readonly reason: string) {
    super(`not a binary package: ${reason}`)
    this.name = 'DebFormatError'
  }
}

/** @see ar(5), "!<arch>" */
const MAGIC = Buffer.from('!<arch>\n', 'latin1')
const HEADER_BYTES = 60
const HEADER_END = '`\n'
/** Three are usual; signatures may follow them. */
const MOST_PARTS = 16
/** The number and a newline, and additions of later minor versions. */
const MOST_VERSION_BYTES = 1024

/** Reads that many bytes at an offset, or fewer at the end. */
export type ReadAt = (offset: number, length: number) => Buffer

/**
 * Finds the archives in a binary package.
 *
 * @throws {DebFormatError} Also if a part is truncated.
 * @see deb(5): `debian-binary`, then parts whose names begin with `_` and are ignored, control and data
 */
export function readDebParts(readAt: ReadAt, fileBytes: number): DebParts {
  if (!readAt(0, MAGIC.length).equals(MAGIC)) throw new DebFormatError('it does not begin as an ar archive')
  const parts: DebPart[] = []
  for (let at = MAGIC.length; at < fileBytes && parts.length < MOST_PARTS; ) {
    const part = readHeader(readAt(at, HEADER_BYTES), at + HEADER_BYTES)
    if (part.offset + part.sizeBytes > fileBytes) throw new DebFormatError(`${part.name} is cut short`)
    parts.push(part)
    // Parts begin at even offsets.
    at = part.offset + part.sizeBytes + (part.sizeBytes % 2)
  }
  const [version, ...others] = parts
  checkVersion(version, readAt)
  const [control, data] = others.filter(({name}) => !name.startsWith('_'))
  if (control === undefined || !control.name.startsWith('control.tar'))
    throw new DebFormatError('it has no control.tar')
  if (data === undefined || !data.name.startsWith('data.tar')) throw new DebFormatError('it has no data.tar')
  return {control, data}
}

function readHeader(header: Buffer, offset: number): DebPart {
  if (header.length < HEADER_BYTES || header.toString('latin1', 58) !== HEADER_END)
    throw new DebFormatError('a header in it is damaged')
  // GNU ar ends names with a slash; dpkg-deb does not.
  const name = header.toString('latin1', 0, 16).trimEnd().replace(/\/$/, '')
  const size = /^\d{1,10}$/.exec(header.toString('latin1', 48, 58).trimEnd())?.[0]
  if (size === undefined) throw new DebFormatError('a size in it is not a number')
  return {name, offset, sizeBytes: Number(size)}
}

/** Minor versions only make additions that may be ignored. */
function checkVersion(part: DebPart | undefined, readAt: ReadAt): void {
  if (part?.name !== 'debian-binary') throw new DebFormatError('it does not begin with debian-binary')
  const text = readAt(part.offset, Math.min(part.sizeBytes, MOST_VERSION_BYTES)).toString('latin1')
  if (!/^2\.\d+\n/.test(text)) throw new DebFormatError('its format is not version 2')
}
