import * as v from 'valibot'
import {decompress} from '../../compression/decompress.js'
import type {FindProgram} from '../../compression/host-program.js'
import {type ArchiveInput, openArchiveInput, peekArchive} from '../../compression/input.js'
import {isFailure} from '../../host/errno.js'
import {oneOfField, orNull, parseIfValid, type RecordOf, timeField} from '../../host/records.js'
import {DEFAULT_LIMITS} from '../limits.js'
import {openByteReader} from '../tar/byte-reader.js'
import {BLOCK_BYTES, readHeaderBlock} from '../tar/header.js'
import {readPaxRecords} from '../tar/pax.js'

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

const SCHEMA_VERSION = 1
const PREFIX = 'envs-export:'
/** A note is a few hundred bytes. */
const MAX_BYTES = 4096

/** One line without control characters for the terminal. */
const printableField = v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,128}$/))

const exportNoteEntries = {
  /** Name of the environment. */
  name: printableField,
  image: v.object({
    /** Name of a published image; null for a file or URL of the user, whose path means nothing elsewhere. */
    name: orNull(printableField),
    version: orNull(printableField),
    sha256: printableField,
  }),
  identity: oneOfField(['mapped', 'emulated']),
  architecture: printableField,
  /** Creation time of the environment. */
  createdAt: timeField,
  /** The version that exported it. */
  envs: printableField,
}

const exportNoteSchema = v.object(exportNoteEntries)
const writtenNoteSchema = v.object({schemaVersion: v.literal(SCHEMA_VERSION), ...exportNoteEntries})

/** The origin in an exported tarball, shown at its import. It proves nothing. */
export type ExportNote = RecordOf<typeof exportNoteSchema>

/** Writes the comment for the pax header at the start of an exported tarball: one line of ASCII. */
export function formatNote(note: ExportNote): string {
  const json = JSON.stringify({schemaVersion: SCHEMA_VERSION, ...note})
  const asAscii = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  return PREFIX + json.replace(/[^\x20-\x7e]/g, asAscii)
}

/** Parses a comment. @returns Undefined for any other comment, and for a malformed note. */
export function parseNote(comment: string): ExportNote | undefined {
  const json = comment.slice(PREFIX.length)
  if (!comment.startsWith(PREFIX) || json.length > MAX_BYTES) return undefined
  const {schemaVersion: _, ...note} = parseIfValid(json, writtenNoteSchema) ?? {}
  return 'name' in note ? note : undefined
}
