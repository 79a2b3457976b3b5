import assert from 'node:assert/strict'
import {createHash, randomBytes} from 'node:crypto'
import {mkdir, readFile, writeFile} from 'node:fs/promises'
import type {ServerResponse} from 'node:http'
import {dirname, join} from 'node:path'
import type {TestContext} from 'node:test'
import {capture} from '../../src/host/process.js'
import {startServer} from './http-server.js'
import {temporaryFolder} from './temporary-folder.js'

export type BuiltPackage = {readonly name: string; readonly bytes: Buffer; readonly sha256: string}

export type PackageArchive = {
  readonly origin: URL
  /** Names of packages that were asked for, in the order of the requests. */
  readonly fetched: readonly string[]
  package(name: string): BuiltPackage
  /** How the request for a package is answered from now on; whole until then. */
  answerWith(answer: Answer): void
}

type Answer = (response: ServerResponse, asked: BuiltPackage) => void

const whole: Answer = (response, {bytes}) => void response.end(bytes)
export const notFound: Answer = (response) => void response.writeHead(404).end()
/** As many bytes, but not the same; of a fixed age, which APT tells. */
export const damaged: Answer = (response, {bytes}) => {
  response.setHeader('last-modified', new Date(0).toUTCString()).end(Buffer.alloc(bytes.length, 'x'))
}
/** Enough to have begun, and then nothing more. */
export const half: Answer = (response, {bytes}) => {
  response.writeHead(200, {'content-length': bytes.length}).write(bytes.subarray(0, bytes.length / 2))
}

const OTHER_PLACE = 'elsewhere/'

/** To an address that does not end as a package's. */
export const redirected: Answer = (response, {name}) =>
  void response.writeHead(302, {location: `/${OTHER_PLACE}${name}`}).end()

/**
 * A real package archive on the loopback, unsigned: one folder with an index, and packages each with a program of its
 * own name that says it.
 */
export async function startPackageArchive(
  t: TestContext,
  names: readonly string[],
  options: {readonly tls?: {readonly key: string; readonly cert: string}} = {},
): Promise<PackageArchive> {
  const folder = await temporaryFolder(t)
  const built = new Map<string, BuiltPackage>()
  for (const name of names) built.set(name, await buildPackage(folder, name))
  const index = [...built.values()].map(indexEntry).join('\n')
  const files = new Map([
    ['Packages', index],
    ['Release', `Suite: test\nSHA256:\n ${sha256Of(index)} ${index.length} Packages\n`],
  ])
  const fetched: string[] = []
  let answer = whole
  const {origin} = await startServer(
    t,
    (request, response) => {
      const path = (request.url ?? '').replace(/^\/(\.\/)?/, '')
      const file = files.get(path)
      if (file !== undefined) return void response.end(file)
      const asked = built.get(path.replace(OTHER_PLACE, '').split('_')[0] ?? '')
      if (asked === undefined) return void response.writeHead(404).end()
      fetched.push(asked.name)
      return path.startsWith(OTHER_PLACE) ? whole(response, asked) : answer(response, asked)
    },
    options,
  )
  return {
    origin,
    fetched,
    package(name) {
      const found = built.get(name)
      assert.ok(found)
      return found
    },
    answerWith(next) {
      answer = next
    },
  }
}

/** A shell script for a guest: APT knows this archive and no other. */
export function useArchive({origin}: PackageArchive): string {
  return `rm -rf /etc/apt/sources.list.d; echo 'deb [trusted=yes] ${origin} ./' >/etc/apt/sources.list; apt-get -qq update`
}

async function buildPackage(folder: string, name: string): Promise<BuiltPackage> {
  const tree = join(folder, name)
  const control = `Package: ${name}\nVersion: 1\nArchitecture: all\nMaintainer: none <none@localhost>\nDescription: test\n`
  const program = join(tree, 'usr/bin', name)
  for (const path of [join(tree, 'DEBIAN'), dirname(program)]) await mkdir(path, {recursive: true})
  await writeFile(join(tree, 'DEBIAN/control'), control)
  // Random, so that it stays larger than what a connection holds by itself.
  const ballast = randomBytes(300_000).toString('hex')
  await writeFile(program, `#!/bin/sh\necho ${name}\nexit\n${ballast}\n`, {mode: 0o755})
  const path = join(folder, `${name}_1_all.deb`)
  const made = await capture(['dpkg-deb', '--root-owner-group', '-Zgzip', '--build', tree, path])
  assert.equal(made.status, 0, made.stderr)
  const bytes = await readFile(path)
  return {name, bytes, sha256: sha256Of(bytes)}
}

function indexEntry({name, bytes, sha256}: BuiltPackage): string {
  const facts = `Package: ${name}\nVersion: 1\nArchitecture: all\nDescription: test\n`
  return `${facts}Filename: ./${name}_1_all.deb\nSize: ${bytes.length}\nSHA256: ${sha256}\n`
}

function sha256Of(data: Buffer | string): string {
  return createHash('sha256').update(data).digest('hex')
}
