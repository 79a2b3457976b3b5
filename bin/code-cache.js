// Keeps what V8 makes of the program's text, so that the next start need not make it again: compiling takes longer
// than most commands take to run. Node 20 has nothing for this, and later ones keep theirs in /tmp, for all users.
//
// What is kept is code. It is taken only from a file of this very user's that nobody else can write, in the user's own
// cache folder, for the same build and the same Node. Whatever is wrong with it, the program is compiled as ever.
const fs = require('node:fs')
const path = require('node:path')
const vm = require('node:vm')

const {O_RDONLY, O_NOFOLLOW, O_WRONLY, O_CREAT, O_EXCL} = fs.constants

/** The first line of each file; scripts/build.mjs puts the digest of all of them there. */
const BUILD = /^\/\/ (?<build>[0-9a-f]{32})\n/

/**
 * What is typed most has files apart, each a third to two thirds as large as the one of all commands; those that share nearly all they
 * need share one. scripts/build.mjs makes them.
 */
const FILES_APART = {
  create: 'create',
  ...{clone: 'history', restore: 'history', snapshot: 'history', undo: 'history'},
  ...{enter: 'session', run: 'session'},
  ...{'--version': 'overview', list: 'overview', show: 'overview'},
}
exports.FILES_APART = FILES_APART

/** What Node has loaded by itself. */
const AT_HAND = new Set(['node:fs', 'node:path', 'node:url', 'node:util', 'node:vm'])

/**
 * So many runs of a command are learnt from: one takes other ways than the next, and what was not run is not compiled. A
 * digit after the header counts them.
 */
const LEARNS_FROM = 4

/** What files of the program have exported. */
const loaded = new Map()

/**
 * Runs the program's file, and returns what it exports: the file that it shares with few where there is one, else the one
 * of all commands. Each command runs a part of that, and has the part kept by itself.
 *
 * @param folder - Where the files are.
 * @param argv - The command line.
 */
exports.loadProgram = (folder, [word = 'help']) => {
  const command = word.replace(/^--/, '')
  const part = /^[a-z]{2,12}$/.test(command) ? command : 'other'
  const name = Object.hasOwn(FILES_APART, word) ? FILES_APART[word] : 'main'
  return load(path.join(folder, `${name}.cjs`), {part, requireBuiltin: requireLate})
}

/** Runs a file of the program, and those that it asks for. */
function load(file, {part, requireBuiltin}) {
  const text = fs.readFileSync(file, 'latin1')
  const place = placeFor(text, part)
  const {data: cachedData, runs = 0} = (place && readKept(place)) ?? {}
  const script = new vm.Script(`(function (exports, require, module, __filename, __dirname) {${text}\n})`, {
    filename: file,
    cachedData,
  })
  const learnt = script.cachedDataRejected ? 0 : runs
  if (place && learnt < LEARNS_FROM)
    process.once('exit', (status) => {
      // What has run by then is compiled, and is kept too; what runs before a failure is not what mostly does.
      if (status === 0) keep(place, {data: script.createCachedData(), runs: learnt + 1})
    })
  const folder = path.dirname(file)
  const module = {exports: {}}
  const requireFrom = (id) => (id.startsWith('./') ? requireFile(path.join(folder, id)) : requireBuiltin(id))
  script.runInThisContext()(module.exports, requireFrom, module, file, folder)
  return module.exports
}

/** A package in a file of its own. */
function requireFile(file) {
  if (!loaded.has(file))
    loaded.set(file, load(file, {part: path.basename(file, '.cjs'), requireBuiltin: require}))
  return loaded.get(file)
}

/**
 * A module of Node's is loaded when something of it is first asked for, by name or all names: most commands do without
 * half of them.
 */
function requireLate(id) {
  if (AT_HAND.has(id)) return require(id)
  return new Proxy(
    {},
    {
      get: (_, name) => require(id)[name],
      has: (_, name) => name in require(id),
      ownKeys: () => Reflect.ownKeys(require(id)),
      // The empty object behind has none that could not be configured, so this may not claim to have one.
      getOwnPropertyDescriptor: (_, name) => {
        const descriptor = Reflect.getOwnPropertyDescriptor(require(id), name)
        return descriptor && {...descriptor, configurable: true}
      },
    },
  )
}

function placeFor(text, part) {
  const {build} = BUILD.exec(text)?.groups ?? {}
  const folder = cacheFolder()
  if (build === undefined || folder === undefined || process.env.NODE_DISABLE_COMPILE_CACHE) return undefined
  // Two builds of one version of Node need not understand each other.
  const {size, mtimeMs} = fs.statSync(process.execPath)
  const key = `${build}-${process.version}-${process.arch}-${size}-${Math.trunc(mtimeMs)}`
  return {
    folder,
    key,
    file: path.join(folder, `${part}-${key}`),
    header: Buffer.from(`envs ${part} ${key}\n`),
  }
}

/** As src/host/paths.ts has it; undefined where that is not for this file to tell. */
function cacheFolder() {
  const {ENVS_HOME, XDG_CACHE_HOME, HOME} = process.env
  const isPlace = (folder) => folder !== undefined && path.isAbsolute(folder)
  if (ENVS_HOME) return isPlace(ENVS_HOME) ? path.join(ENVS_HOME, 'cache', 'code') : undefined
  if (isPlace(XDG_CACHE_HOME)) return path.join(XDG_CACHE_HOME, 'envs', 'code')
  return isPlace(HOME) ? path.join(HOME, '.cache', 'envs', 'code') : undefined
}

function readKept({file, header}) {
  let fd
  try {
    fd = fs.openSync(file, O_RDONLY | O_NOFOLLOW)
    const {uid, mode} = fs.fstatSync(fd)
    if (uid !== process.geteuid() || (mode & 0o022) !== 0) return undefined
    const bytes = fs.readFileSync(fd)
    if (!bytes.subarray(0, header.length).equals(header)) return undefined
    const runs = Number(String.fromCharCode(bytes[header.length]))
    return {data: bytes.subarray(header.length + 1), runs: Number.isInteger(runs) ? runs : 0}
  } catch {
    return undefined
  } finally {
    if (fd !== undefined) fs.closeSync(fd)
  }
}

/** Appears by a rename, once it is on the disk: half of it could end the next command by a signal. */
function keep({folder, key, file, header}, {data, runs}) {
  const partial = `${file}.${process.pid}-${Date.now()}`
  try {
    if (!makeOwn(folder)) return
    const fd = fs.openSync(partial, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
    try {
      fs.writeFileSync(fd, Buffer.concat([header, Buffer.from(String(runs)), data]))
      fs.fsyncSync(fd)
    } finally {
      fs.closeSync(fd)
    }
    fs.renameSync(partial, file)
    // Of other builds and other Nodes, and what was not finished.
    for (const name of fs.readdirSync(folder))
      if (!name.endsWith(key)) fs.rmSync(path.join(folder, name), {force: true})
  } catch {
    // No room, or not allowed: it is made again the next time.
    discard(partial)
  }
}

function discard(partial) {
  try {
    fs.unlinkSync(partial)
  } catch {
    // It was not made.
  }
}

/**
 * Makes a folder and those above it, where that is the caller's to do: root who goes by another user's variables leaves
 * nothing in that user's home. Node's own recursive mkdir never ends where the system refuses without a reason, as /proc does.
 */
function makeOwn(folder) {
  if (fs.existsSync(folder)) return fs.statSync(folder).uid === process.geteuid()
  if (!makeOwn(path.dirname(folder))) return false
  fs.mkdirSync(folder, {mode: 0o700})
  return true
}
