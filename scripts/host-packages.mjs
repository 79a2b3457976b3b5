// Names the host packages that the first run or the tests need and that are missing; root gets them installed.
//
// usage: node scripts/host-packages.mjs first-run|test
import {spawnSync} from 'node:child_process'
import {existsSync} from 'node:fs'
import {delimiter, join} from 'node:path'
import {fileURLToPath} from 'node:url'

/** Program, and the Debian package that holds it. */
const FIRST_RUN = {bwrap: 'bubblewrap', newuidmap: 'uidmap', mmdebstrap: 'mmdebstrap', perl: 'perl-base'}
const TEST = {
  ...FIRST_RUN,
  bzip2: 'bzip2',
  openssl: 'openssl',
  script: 'bsdutils',
  tmux: 'tmux',
  xz: 'xz-utils',
  zstd: 'zstd',
}

const NEEDED = {'first-run': FIRST_RUN, test: TEST}

/** @param purpose - `first-run` or `test`. @returns Whether all of it is there now. */
export function requireHostPackages(purpose) {
  const missing = missingPackages(NEEDED[purpose])
  if (missing.length === 0) return true
  if (process.getuid() === 0 && existsSync('/usr/bin/apt-get')) return install(missing)
  process.stderr.write(`Missing on this host, as Debian names its packages: ${missing.join(' ')}\n`)
  process.stderr.write(`Ask your administrator to run: apt-get install -y ${missing.join(' ')}\n`)
  return false
}

function missingPackages(needed) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/bin', '/sbin', '/bin']
  const isMissing = (program) => !folders.some((folder) => existsSync(join(folder, program)))
  return [
    ...new Set(
      Object.keys(needed)
        .filter(isMissing)
        .map((program) => needed[program]),
    ),
  ]
}

function install(packages) {
  process.stderr.write(`Installing with apt-get, for you are root: ${packages.join(' ')}\n`)
  const env = {...process.env, DEBIAN_FRONTEND: 'noninteractive'}
  const apt = (...args) => spawnSync('apt-get', ['-q', ...args], {env, stdio: ['ignore', 2, 2]}).status === 0
  return apt('update') && apt('install', '-y', '--no-install-recommends', ...packages)
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  process.exitCode = requireHostPackages(process.argv[2]) ? 0 : 7
