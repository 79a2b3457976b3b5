import {
  chmodSync,
  closeSync,
  ftruncateSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import {join} from 'node:path'
import {capture} from '../../src/host/process.js'

const LONG_NAME = `long-${'n'.repeat(180)}`

/** What the older formats can't hold. */
export type SampleContents = {
  readonly longNames: boolean
  readonly fifo: boolean
  readonly timesBefore1970: boolean
}

export const EVERYTHING: SampleContents = {fifo: true, longNames: true, timesBefore1970: true}

/** Fills a folder with one of everything a rootfs may hold, apart from devices. */
export async function fillSampleTree(root: string, contents: SampleContents): Promise<void> {
  const at = (...names: string[]) => join(root, ...names)
  for (const folder of ['usr', 'usr/bin', 'var', 'var/mail', 'tmp', 'closed', 'empty']) mkdirSync(at(folder))
  fillFiles(at)
  symlinkSync('usr/bin', at('bin'))
  symlinkSync('/usr/bin/plain', at('absolute'))
  symlinkSync('../../../../outside', at('usr', 'leads-out'))
  symlinkSync('c:\\nowhere', at('dangling'))
  linkSync(at('usr/bin/plain'), at('usr/bin/second'))
  linkSync(at('usr/bin/setuid'), at('hard-setuid'))
  linkSync(at('dangling'), at('hard-dangling'))
  if (contents.longNames) {
    mkdirSync(at(LONG_NAME))
    writeFileSync(at(LONG_NAME, LONG_NAME), 'long')
    linkSync(at(LONG_NAME, LONG_NAME), at(LONG_NAME, 'hard'))
    symlinkSync(`${LONG_NAME}/${LONG_NAME}`, at('long-target'))
  }
  if (contents.fifo) await capture(['mkfifo', '-m', '640', at('fifo')])
  setTimes(at, contents)
  // Last, and the deepest first: they keep their owner from writing.
  chmodSync(at('var/mail'), 0o2775)
  chmodSync(at('tmp'), 0o1777)
  chmodSync(at('closed'), 0o555)
}

function fillFiles(at: (...names: string[]) => string): void {
  writeFileSync(at('usr/bin/plain'), 'plain')
  writeFileSync(at('usr/bin/setuid'), 'setuid')
  chmodSync(at('usr/bin/setuid'), 0o4755)
  writeFileSync(at('usr/bin/setgid'), 'setgid')
  chmodSync(at('usr/bin/setgid'), 0o2750)
  writeFileSync(at('usr/bin/read-only'), 'read-only')
  chmodSync(at('usr/bin/read-only'), 0o444)
  writeFileSync(at('tmp/shared'), 'shared')
  chmodSync(at('tmp/shared'), 0o666)
  writeFileSync(at('empty-file'), '')
  writeFileSync(at('one-block'), Buffer.alloc(512, 'b'))
  writeFileSync(at('large'), Buffer.alloc(1_500_001, 'large'))
  writeFileSync(at('closed/inside'), 'inside')
  for (const name of ['new\nline', 'tab\tand *', '-x', ' space ', 'bäckup', 'a\\..\\b']) {
    writeFileSync(at(name), name)
  }
  writeFileSync(Buffer.concat([Buffer.from(`${at('not-utf8-')}`), Buffer.from([0xff, 0xe9, 0x80])]), 'bytes')
  writeSparse(at('sparse'), [0, 1_000_000, 5_000_000], 9_000_000)
  writeSparse(
    at('sparse-fragments'),
    Array.from({length: 60}, (_, index) => index * 100_000),
    6_000_000,
  )
  writeSparse(at('sparse-hole'), [], 300_000)
}

function writeSparse(path: string, offsets: readonly number[], sizeBytes: number): void {
  const fd = openSync(path, 'w')
  for (const offset of offsets) writeSync(fd, `data at ${offset}`, offset)
  ftruncateSync(fd, sizeBytes)
  closeSync(fd)
}

function setTimes(at: (...names: string[]) => string, {timesBefore1970}: SampleContents): void {
  lutimesSync(at('bin'), 1_500_000_000, 1_500_000_000)
  utimesSync(at('usr/bin/plain'), 1_600_000_000.123, 1_600_000_000.123)
  utimesSync(at('usr/bin/setgid'), 1_600_000_000.999999, 1_600_000_000.999999)
  utimesSync(at('one-block'), 0, 0)
  utimesSync(at('large'), 6_000_000_000, 6_000_000_000)
  if (timesBefore1970) utimesSync(at('empty-file'), '-86400', '-86400')
  utimesSync(at('usr/bin'), 1_400_000_000, 1_400_000_000)
  utimesSync(at('empty'), 1_300_000_000, 1_300_000_000)
}
