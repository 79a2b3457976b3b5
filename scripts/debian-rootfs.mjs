// Makes a minimal Debian rootfs tarball from the package mirror of this host.
//
// usage: node scripts/debian-rootfs.mjs TARGET.tar.gz
import {spawnSync} from 'node:child_process'
import {existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {fileURLToPath} from 'node:url'

/** Used on hosts other than Debian, which have no suitable release and mirror. */
const FALLBACK = {suite: 'trixie', mirror: 'http://ftp.debian.org/debian'}

/** Makes `target` unless it exists. @throws {Error} If mmdebstrap fails; its output has been shown. */
export function makeDebianRootfs(target) {
  if (existsSync(target)) return
  mkdirSync(dirname(target), {recursive: true})
  const partial = join(dirname(target), `.partial-${process.pid}.tar.gz`)
  const {suite, mirror} = hostRelease()
  try {
    const made = spawnSync('mmdebstrap', ['--variant=apt', '--quiet', suite, partial, mirror], {
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    if (made.status !== 0) throw new Error(`mmdebstrap ended with status ${made.status ?? made.signal}`)
    renameSync(partial, target)
  } finally {
    rmSync(partial, {force: true})
  }
}

/** Returns the host's own Debian suite and the mirror of its APT sources. */
export function hostRelease() {
  const release = parseOsRelease(readText('/etc/os-release'))
  const mirror = aptSourceTexts().flatMap(mirrorsIn)[0]
  if (release.ID !== 'debian' || release.VERSION_CODENAME === undefined || mirror === undefined)
    return FALLBACK
  return {suite: release.VERSION_CODENAME, mirror}
}

function aptSourceTexts() {
  const folder = '/etc/apt/sources.list.d'
  const files = existsSync(folder) ? readdirSync(folder).sort() : []
  return ['/etc/apt/sources.list', ...files.map((file) => join(folder, file))].map(readText)
}

/** Only main repositories: a -security one has no base system. @see sources.list(5) for both forms */
function mirrorsIn(text) {
  const oneLine = [...text.matchAll(/^deb\s+(?:\[[^\]]*\]\s+)?(https?:\S+)/gm)].map((match) => match[1])
  const deb822 = [...text.matchAll(/^URIs:\s*(https?:\S+)/gm)].map((match) => match[1])
  return [...oneLine, ...deb822].filter((mirror) => !/security/.test(mirror))
}

function parseOsRelease(text) {
  return Object.fromEntries(
    [...text.matchAll(/^(\w+)="?([^"\n]*)"?$/gm)].map((match) => [match[1], match[2]]),
  )
}

function readText(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

if (process.argv[1] === fileURLToPath(import.meta.url)) makeDebianRootfs(process.argv[2])
