// Reads README.md and docs/*.md as a newcomer would: whatever a page says can be typed, is typed, and must do what the page says.
//
//   node scripts/follow-docs.mjs            all pages
//   node scripts/follow-docs.mjs FILE...    these
//
// Needs a build, an ordinary user, and a package archive within reach. Every page finds a home folder that has nothing of envs but
// images and packages that were fetched for a page before. Names of Ubuntu stand in the pages with the name that is used instead
// (```sh with focal=trixie), as a package archive alone is near enough for tests; docs/README.md says so to readers.

import {spawnSync} from 'node:child_process'
import {mkdir, mkdtemp, readdir, readFile, rm, symlink} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join, relative, resolve} from 'node:path'
import {fileURLToPath} from 'node:url'
import {readBlocks} from './docs/read-blocks.mjs'
import {runBlock} from './docs/run-block.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Only these variables of the caller: a new user has no others. */
const KEPT_VARIABLES = [
  'LANG',
  'TZ',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
]

async function findPages(named) {
  if (named.length > 0) return named.map((page) => resolve(page))
  const inDocs = (await readdir(join(root, 'docs'))).filter((name) => name.endsWith('.md')).sort()
  return [join(root, 'README.md'), ...inDocs.map((name) => join(root, 'docs', name))]
}

async function makeHome() {
  const home = await mkdtemp(join(tmpdir(), 'envs-docs-'))
  const programs = join(home, '.programs')
  await mkdir(programs)
  await symlink(join(root, 'bin/envs'), join(programs, 'envs'))
  const kept = KEPT_VARIABLES.filter((name) => process.env[name] !== undefined)
  const env = {
    ...Object.fromEntries(kept.map((name) => [name, process.env[name]])),
    HOME: home,
    PATH: `${join(home, '.local/bin')}:${programs}:${process.env.PATH}`,
    TERM: 'dumb',
  }
  return {home, env}
}

function runEnvs(argv, {home, env}) {
  return spawnSync('envs', argv, {cwd: home, env, encoding: 'utf8', timeout: 60_000})
}

/** Keeps images, layers of images and packages: each page would download the same ones again. */
async function leaveNothing(place) {
  for (const list of [['list'], ['list', '--removed']]) {
    const names = runEnvs([...list, '--quiet'], place)
      .stdout.split('\n')
      .filter(Boolean)
    if (names.length > 0) runEnvs(['rm', '--force', '--now', ...new Set(names)], place)
  }
  const keep = ['.local', '.cache', '.programs']
  for (const name of await readdir(place.home))
    if (!keep.includes(name)) await rm(join(place.home, name), {recursive: true, force: true})
  await rm(join(place.home, '.local/bin'), {recursive: true, force: true})
}

async function followPage(page, place) {
  const shown = relative(root, page)
  let failures = 0
  for (const block of readBlocks(shown, await readFile(page, 'utf8'))) {
    const at = `${shown}:${block.line}`
    if (block.reason !== undefined) {
      console.log(`not run  ${at}: ${block.reason}`)
      continue
    }
    const begun = performance.now()
    const wrong = await runBlock(block, place)
    const seconds = ((performance.now() - begun) / 1000).toFixed(1)
    console.log(
      `${wrong.length === 0 ? 'as said' : 'WRONG  '}  ${at}, ${block.commands.length} commands, ${seconds} s`,
    )
    for (const text of wrong) console.log(`\n  $ ${text}\n`)
    failures += wrong.length
  }
  return failures
}

if (process.getuid() === 0) {
  console.error('Follow the docs as an ordinary user: root has no layers, so no snapshots.')
  process.exit(2)
}
const place = await makeHome()
let failures = 0
try {
  for (const page of await findPages(process.argv.slice(2))) {
    failures += await followPage(page, place)
    await leaveNothing(place)
  }
} finally {
  runEnvs(['prune', '--yes', '--older-than', '0'], place)
  await rm(place.home, {recursive: true, force: true})
}
if (failures > 0) console.log(`${failures} commands do not do what is said of them.`)
process.exitCode = failures > 0 ? 1 : 0
