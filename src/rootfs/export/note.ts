import * as v from 'valibot'
import {oneOfField, orNull, parseIfValid, type RecordOf, timeField} from '../../host/records.js'

const SCHEMA_VERSION = 1
const PREFIX = 'envs-export:'
/** A note is a few hundred bytes. */
const MAX_BYTES = 4096

/** One line that can do nothing to a terminal. */
const printableField = v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,128}$/))

const exportNoteEntries = {
  /** Of the environment. */
  name: printableField,
  image: v.object({
    /** Of a published image; null for a file or URL of the user's own, whose place says nothing elsewhere. */
    name: orNull(printableField),
    version: orNull(printableField),
    sha256: printableField,
  }),
  identity: oneOfField(['mapped', 'emulated']),
  architecture: printableField,
  /** When the environment was made. */
  createdAt: timeField,
  /** The version that exported it. */
  envs: printableField,
}

const exportNoteSchema = v.object(exportNoteEntries)
const writtenNoteSchema = v.object({schemaVersion: v.literal(SCHEMA_VERSION), ...exportNoteEntries})

/** What an exported archive says of itself, to be shown to who imports it: nothing of it is proof. */
export type ExportNote = RecordOf<typeof exportNoteSchema>

/** The comment in the pax header that an exported archive begins with: one line of ASCII. */
export function formatNote(note: ExportNote): string {
  const json = JSON.stringify({schemaVersion: SCHEMA_VERSION, ...note})
  const asAscii = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  return PREFIX + json.replace(/[^\x20-\x7e]/g, asAscii)
}

/** @returns undefined for any other comment, and for a note that no envs wrote. */
export function parseNote(comment: string): ExportNote | undefined {
  const json = comment.slice(PREFIX.length)
  if (!comment.startsWith(PREFIX) || json.length > MAX_BYTES) return undefined
  const {schemaVersion: _, ...note} = parseIfValid(json, writtenNoteSchema) ?? {}
  return 'name' in note ? note : undefined
}
