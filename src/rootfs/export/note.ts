import {type JsonFields, parseJsonRecord} from '../../host/json-fields.js'

/** The origin in an exported tarball, shown at its import. It proves nothing. */
export type ExportNote = {
  /** Name of the environment. */
  readonly name: string
  readonly image: {
    /** Name of a published image; null for a file or URL of the user, whose path means nothing elsewhere. */
    readonly name: string | null
    readonly version: string | null
    readonly sha256: string
  }
  readonly identity: 'mapped' | 'emulated'
  readonly architecture: string
  /** Creation time of the environment. */
  readonly createdAt: Date
  /** The version that exported it. */
  readonly envs: string
}

const SCHEMA_VERSION = 1
const PREFIX = 'envs-export:'
/** A note is a few hundred bytes. */
const MAX_BYTES = 4096
/** One line without control characters for the terminal. */
const PRINTABLE = /^[\x21-\x7e]{1,128}$/

/** Writes the comment for the pax header at the start of an exported tarball: one line of ASCII. */
export function formatNote(note: ExportNote): string {
  const json = JSON.stringify({schemaVersion: SCHEMA_VERSION, ...note})
  const asAscii = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  return PREFIX + json.replace(/[^\x20-\x7e]/g, asAscii)
}

/** Parses a comment. @returns Undefined for any other comment, and for a malformed note. */
export function parseNote(comment: string): ExportNote | undefined {
  if (!comment.startsWith(PREFIX)) return undefined
  try {
    return readNote(
      parseJsonRecord(comment.slice(PREFIX.length), {
        maxBytes: MAX_BYTES,
        schemaVersion: SCHEMA_VERSION,
        refuse: (rule) => new NoNote(rule),
      }),
    )
  } catch (error) {
    if (error instanceof NoNote) return undefined
    throw error
  }
}

class NoNote extends Error {}

function readNote(fields: JsonFields): ExportNote {
  const image = fields.object('image')
  return {
    name: printable(fields, 'name'),
    image: {
      name: image.orNull('name', (each) => printable(each, 'name')),
      version: image.orNull('version', (each) => printable(each, 'version')),
      sha256: printable(image, 'sha256'),
    },
    identity: fields.oneOf('identity', ['mapped', 'emulated']),
    architecture: printable(fields, 'architecture'),
    createdAt: fields.date('createdAt'),
    envs: printable(fields, 'envs'),
  }
}

function printable(fields: JsonFields, key: string): string {
  const text = fields.string(key)
  if (!PRINTABLE.test(text)) throw fields.wrong(key, 'a word')
  return text
}
