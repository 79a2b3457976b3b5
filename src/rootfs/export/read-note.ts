import {type ArchiveInput, openArchiveInput, peekArchive} from '../../compression/archive-input.js'
import {decompress} from '../../compression/decompress.js'
import type {FindProgram} from '../../compression/host-decoder.js'
import {isFailure} from '../../host/errno.js'
import {DEFAULT_LIMITS} from '../limits.js'
import {openByteReader} from '../tar/byte-reader.js'
import {BLOCK_BYTES, readHeaderBlock} from '../tar/header-block.js'
import {readPaxRecords} from '../tar/pax-records.js'
import {type ExportNote, parseNote} from './note.js'

/**
 * Reads the note in the first member of a tarball, and no more.
 *
 * @param source - A regular file at its start, or the first bytes of a tarball.
 * @returns Undefined if there is no note, or no tarball: the extraction reports that error.
 */
export async function readExportNote(
  source: {readonly fd: number} | Buffer,
  which: FindProgram,
): Promise<ExportNote | undefined> {
  try {
    const input = 'fd' in source ? await openArchiveInput(source.fd) : await peekArchive(once(source))
    return await readFirst(input, which)
  } catch (error) {
    if (isFailure(error)) return undefined
    throw error
  }
}

async function readFirst(input: ArchiveInput, which: FindProgram): Promise<ExportNote | undefined> {
  const reader = openByteReader(decompress(input, which).bytes)
  try {
    const header = readHeaderBlock(await reader.take(BLOCK_BYTES))
    if (header.type !== 'g' || header.sizeBytes > DEFAULT_LIMITS.headerBytes) return undefined
    const {comment} = readPaxRecords(await reader.take(header.sizeBytes))
    return comment === undefined ? undefined : parseNote(comment)
  } finally {
    await reader.close()
  }
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}
