import type {Paragraph} from '../debian/control.js'
import {isSha256, type Sha256} from '../host/digest.js'

/** What an index says of one package, checked; the relations are as they are written there. */
export type PackageRecord = {
  readonly name: string
  readonly version: string
  readonly architecture: string
  readonly priority: string
  readonly isEssential: boolean
  readonly provides: string
  readonly preDepends: string
  readonly depends: string
  /** Below the archive's folder. */
  readonly filename: string
  readonly sizeBytes: number
  readonly sha256: Sha256
  readonly installedBytes: number
}

/** The fields that are kept of an index, in the order of a record's line. */
export const RECORD_FIELDS = [
  'Package',
  'Version',
  'Architecture',
  'Priority',
  'Essential',
  'Provides',
  'Pre-Depends',
  'Depends',
  'Filename',
  'Size',
  'SHA256',
  'Installed-Size',
] as const

/** One line of the fields in their order, a tab between them: the name first. */
export function recordLine(paragraph: Paragraph): string {
  return RECORD_FIELDS.map((_, place) => oneLine(paragraph[place])).join('\t')
}

function oneLine(value: string | undefined): string {
  if (value === undefined) return ''
  return value.includes('\n') || value.includes('\t') ? value.replace(/[\n\t]+/g, ' ') : value
}

/** @see deb-control(5), Debian Policy section 5.6 */
const NAME = /^[a-z0-9][a-z0-9+.-]{1,127}$/
const VERSION = /^[A-Za-z0-9.+:~-]{1,256}$/
const ARCHITECTURE = /^[a-z0-9-]{2,32}$/
/** Each part of it begins so that it leads nowhere else. */
const FILENAME =
  /^(?:\.\/)?(?:[A-Za-z0-9_+~=:%,-][A-Za-z0-9._+~=:%,-]*\/)*[A-Za-z0-9_+~=:%,-][A-Za-z0-9._+~=:%,-]*$/
const NUMBER = /^\d{1,12}$/

/** @param rest - A line without its name. @returns undefined when it breaks the rules of a field. */
export function parseRecord(name: string, rest: string): PackageRecord | undefined {
  const [version = '', architecture = '', priority = '', essential, provides = '', ...more] = rest.split('\t')
  const [preDepends = '', depends = '', filename = '', size = '', sha256 = '', installed = ''] = more
  const isSound =
    NAME.test(name) && VERSION.test(version) && ARCHITECTURE.test(architecture) && FILENAME.test(filename)
  if (!isSound || !NUMBER.test(size) || !isSha256(sha256)) return undefined
  return {
    name,
    version,
    architecture,
    priority,
    isEssential: essential === 'yes',
    provides,
    preDepends,
    depends,
    filename: filename.replace(/^\.\//, ''),
    sizeBytes: Number(size),
    sha256,
    // dpkg counts in units of 1024 bytes.
    installedBytes: NUMBER.test(installed) ? Number(installed) * 1024 : 0,
  }
}
