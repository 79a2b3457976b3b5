/**
 * Measures envs and the tools it is built from; `npm run bench -- --help`. docs/performance.md quotes the
 * figures.
 */
import {chmod, chown, copyFile, mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join, resolve} from 'node:path'
import {catchInterruption} from '../src/cli/command.js'
import {ExitCode} from '../src/errors.js'
import {debianRootfs} from '../test/support/debian-rootfs.js'
import {Findings} from './findings.js'
import type {Bench} from './invocation.js'
import {Patience} from './load.js'
import {describeMachine} from './machine.js'
import {type Options, parseOptions, USAGE} from './options.js'
import {measureSubject} from './subjects.js'
import {findUser} from './user.js'

const PATIENCE_MS = {quick: 5_000, full: 60_000}

if (process.argv.includes('--help')) process.stdout.write(USAGE)
else {
  const request = await readRequest(process.argv.slice(2))
  if (request !== undefined) await main(request.options, request.user)
}

type Request = {readonly options: Options; readonly user: Bench['user']}

async function readRequest(argv: readonly string[]): Promise<Request | undefined> {
  try {
    const options = parseOptions(argv)
    return {options, user: options.user === undefined ? undefined : await findUser(options.user)}
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`)
    process.exitCode = ExitCode.usage
    return undefined
  }
}

async function main(options: Options, user: Bench['user']): Promise<void> {
  const given = options.rootfs === undefined ? await debianRootfs() : resolve(options.rootfs)
  const folder = await mkdtemp(join(tmpdir(), 'envs-bench-'))
  await chmod(folder, 0o700)
  const bench: Bench = {folder, environment: environmentFor(folder), ...(user === undefined ? {} : {user})}
  if (user !== undefined) await chown(folder, user.uid, user.gid)
  const interruption = catchInterruption()
  try {
    const rootfs = user === undefined ? given : await readableCopy(given, folder)
    const findings = new Findings(await describeMachine(bench))
    const patience = new Patience(options.isQuick ? PATIENCE_MS.quick : PATIENCE_MS.full)
    const run = {options, bench, rootfs, findings, patience, signal: interruption.signal}
    for (const subject of options.subjects) await measureSubject[subject](run)
    if (options.json !== undefined) await writeFile(options.json, findings.toJson())
  } finally {
    interruption.release()
    await rm(folder, {recursive: true, force: true})
  }
}

/**
 * A separate home, and none of the caller's variables, such as NODE_EXTRA_CA_CERTS, for which Node 20 reads a
 * whole file of certificates at every start: 20 ms and more that depend on the machine's settings.
 */
function environmentFor(folder: string): Bench['environment'] {
  const path = process.env['PATH'] ?? '/usr/bin:/bin'
  return {HOME: folder, LANG: 'C.UTF-8', NO_COLOR: '1', PATH: path, XDG_RUNTIME_DIR: folder}
}

/** The user may have no access to root's file. */
async function readableCopy(rootfs: string, folder: string): Promise<string> {
  const copy = join(folder, 'given.tar.gz')
  await copyFile(rootfs, copy)
  await chmod(copy, 0o644)
  return copy
}
