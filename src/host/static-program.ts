import {closeSync, openSync, readSync} from 'node:fs'

const HEADER_BYTES = 64
const MAX_PROGRAM_HEADERS = 64
/** elf(5): of a program that the dynamic linker has to be loaded for. */
const PT_INTERP = 3

/**
 * Whether a program is an ELF file that needs no library, and so runs in whatever tree.
 *
 * @see elf(5)
 */
export function isStaticProgram(path: string): boolean {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch {
    return false
  }
  try {
    return readsAsStatic((offset, length) => {
      const bytes = Buffer.alloc(length)
      return bytes.subarray(0, readSync(fd, bytes, 0, length, offset))
    })
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  } finally {
    closeSync(fd)
  }
}

/** @throws {RangeError} When it ends too early. */
function readsAsStatic(read: (offset: number, length: number) => Buffer): boolean {
  const header = read(0, HEADER_BYTES)
  if (header.toString('latin1', 0, 4) !== '\x7fELF') return false
  const [is64, isLittle] = [header[4] === 2, header[5] === 1]
  const short = (at: number) => (isLittle ? header.readUInt16LE(at) : header.readUInt16BE(at))
  const long = (bytes: Buffer, at: number) => (isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at))
  const wide = (at: number) => Number(isLittle ? header.readBigUInt64LE(at) : header.readBigUInt64BE(at))
  const start = is64 ? wide(32) : long(header, 28)
  const [size, count] = is64 ? [short(54), short(56)] : [short(42), short(44)]
  if (count === 0 || count > MAX_PROGRAM_HEADERS || start > Number.MAX_SAFE_INTEGER - 65536) return false
  const table = read(start, size * count)
  return Array.from({length: count}, (_, index) => long(table, index * size)).every(
    (type) => type !== PT_INTERP,
  )
}
