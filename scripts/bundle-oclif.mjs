// Bundles oclif: what parses a command line goes into the programs, all else into a library that help alone loads.
import {readFile} from 'node:fs/promises'
import {createRequire} from 'node:module'
import {dirname, relative} from 'node:path'

const require = createRequire(import.meta.url)

export const OCLIF = '@oclif/core'
const VERSION = `${OCLIF}/package.json`
const folder = dirname(require.resolve(VERSION))

/** The modules that parse a line, and that tell what is wrong with one. */
const PARSER =
  /^lib\/(?:(?:args|cache|command|flags|logger|symbols|config\/(?:config|index|util)|util\/(?:aggregate-flags|ids|util))\.js$|errors\/|parser\/)/

/** Imports of the sources from oclif, with the file of each: oclif's main file loads semver to check the version of Node. */
const PARTS = {args: '*Args', command: 'Command', config: 'Config', errors: '*Errors', flags: '*Flags'}
const HELP_PARTS = {config: 'Config', help: 'Help', settings: 'settings'}

/** The library of help, as sources import it. */
export const OCLIF_HELP = `${OCLIF}/help`

/** Modules that the parser may ask the library for: files of oclif, and packages. */
const lent = new Set()

/**
 * Puts the parser of oclif into a program. Each other module is taken from the library of help, when something of it is first used.
 *
 * @param library - The file of that library, as the program requires it.
 */
export function oclifParser(library) {
  return {
    name: 'oclif-parser',
    setup({onLoad, onResolve}) {
      onResolve({filter: /^@oclif\/core$/}, ({path}) => ({path, namespace: 'oclif-parts'}))
      onLoad({filter: /./, namespace: 'oclif-parts'}, () => ({
        contents: partsText(PARTS),
        resolveDir: folder,
      }))
      onResolve({filter: /^[^/]/}, ({path, importer, namespace}) => {
        if (namespace === 'oclif-parts') return {path: require.resolve(path)}
        if (!importer.startsWith(`${folder}/`) || path.startsWith('node:')) return undefined
        if (path === VERSION) return {path, namespace: 'oclif-version'}
        const name = path.startsWith('.') ? relative(folder, createRequire(importer).resolve(path)) : path
        if (PARSER.test(name)) return undefined
        lent.add(name)
        return {path: name, namespace: 'oclif-library'}
      })
      onLoad({filter: /./, namespace: 'oclif-library'}, ({path}) => ({
        contents: `module.exports = require('${library}').lent[${JSON.stringify(path)}]()`,
      }))
      onLoad({filter: /./, namespace: 'oclif-version'}, () => ({
        contents: JSON.stringify({version: require(VERSION).version}),
        loader: 'json',
      }))
    },
  }
}

/** The text of the library of help. The programs have to be bundled before: it has what they ask for. */
export function helpLibraryText() {
  const loaders = [...lent].sort().map((name) => {
    const path = name.startsWith('lib/') ? `${folder}/${name}` : name
    return `${JSON.stringify(name)}: () => require(${JSON.stringify(path)})`
  })
  return `${partsText(HELP_PARTS)}\nmodule.exports.lent = {${loaders}}`
}

function partsText(parts) {
  const getters = Object.entries(parts).map(([file, part]) => {
    const name = part.replace('*', '')
    return `get ${name}() { return require('${OCLIF}/${file}')${part === name ? `.${name}` : ''} }`
  })
  return `module.exports = {${getters.join(',')}}`
}

/** How oclif's compiler writes an import. */
const IMPORT = /^(?:const|var) (\w+) = ((?:__import\w+\()?require\("[^"]+"\)\)?);$/gm

/**
 * Has the files of oclif load one another when something of them is first used: a command needs a tenth of them, and to run
 * all of them takes as long as the command.
 */
export const requireLate = {
  name: 'require-late',
  setup({onLoad}) {
    onLoad({filter: /\/@oclif\/core\/lib\/.*\.js$/}, async ({path}) => ({
      contents: loadedLate(await readFile(path, 'utf8'), path),
    }))
  },
}

function loadedLate(text, path) {
  const names = []
  let late = text.replaceAll(IMPORT, (_, name, load) => {
    names.push(name)
    return `let ${name}$; const ${name}$load = () => ${name}$ ??= ${load};`
  })
  // Silence would be a slower start of every command.
  const missed = /^(?!let \w+\$;).*\brequire\(".*$/m.exec(late)
  if (missed) throw new Error(`${path} imports in a way that this build does not know: ${missed[0]}`)
  // envs writes with writeSync: the stream would load what Node has for networks.
  if (path.endsWith('/lib/command.js')) {
    const listener = /^process\.stdout\.on\('error'.*?^\}\);$/ms
    if (!listener.test(late)) throw new Error(`${path} has no listener on standard output any more`)
    late = late.replace(listener, '')
  }
  if (names.length === 0) return text
  const uses = new RegExp(`(?<![\\w$.])(${names.join('|')})(?![\\w$])`, 'g')
  return late.replaceAll(uses, '($1$$load())')
}
