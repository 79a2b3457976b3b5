// Refuses files of more than 400 lines and folders of more than 20 files: `npm run rooms` runs it.

import {existsSync, readdirSync, readFileSync} from 'node:fs'
import {basename, join} from 'node:path'

const MOST_LINES = 400
const MOST_FILES = 20

/** Where programs are. */
const PROGRAMS = ['bin', 'commands', 'src', 'templates', 'scripts', 'test', 'bench', 'matrix', 'hosts', '.ci']

/** Of these, the folders that may have more files, each with the reason. */
const LONG_LISTS = {
  commands: 'the path of a file is the name of its command',
  test: 'a file is found by the name of what it tests',
  bench: 'a file a measurement',
}

/** Names of files that nobody reads from top to bottom. */
const DATA = /\.(?:asc|csv|gz|gpg|json|jsonl|pgp|snap|svg|txt|xz)$|^\./

const problems = PROGRAMS.filter((folder) => existsSync(folder)).flatMap(problemsOf)
for (const problem of problems) console.error(problem)
process.exitCode = problems.length === 0 ? 0 : 1

function problemsOf(folder) {
  const entries = readdirSync(folder, {withFileTypes: true})
  const files = entries.filter((entry) => entry.isFile() && !DATA.test(entry.name))
  const own = files.flatMap(({name}) => {
    const lines = readFileSync(join(folder, name), 'latin1').split('\n').length - 1
    return lines > MOST_LINES ? [`${join(folder, name)}: ${lines} lines, ${MOST_LINES} at most`] : []
  })
  const mayBeLong = Object.keys(LONG_LISTS).some((list) => folder === list || folder.startsWith(`${list}/`))
  if (!mayBeLong && files.length > MOST_FILES)
    own.push(`${folder}: ${files.length} files, ${MOST_FILES} at most`)
  const inner = entries.filter((entry) => entry.isDirectory() && basename(entry.name) !== 'fixtures')
  return [...own, ...inner.flatMap(({name}) => problemsOf(join(folder, name)))]
}
