// Preloaded into the built program by test/support/killed-steps.ts: writes down each call by which it changes files or
// starts a program, or ends it by SIGKILL before one of them. Its worker is preloaded too, for its environment is made
// anew by the program.
import childProcess from 'node:child_process'
import fs from 'node:fs'
import {syncBuiltinESMExports} from 'node:module'
import {basename} from 'node:path'

/** 0 for envs itself, else which worker of its this is, counted from 1. */
const program = Number(process.env.ENVS_STEP_PROGRAM ?? 0)
/** `PROGRAM:CALL`, both as they are written down. */
const target = process.env.ENVS_STEP_KILL
/** Whether all that envs has started is killed with it. */
const isAlone = process.env.ENVS_STEP_ALONE === '1'
/** Whether it is killed when the call has been made, in the place of before. */
const isAfter = process.env.ENVS_STEP_AFTER === '1'
const log = process.env.ENVS_STEP_LOG

const {appendFileSync} = fs
let calls = 0
let workers = 0
/** Node's own functions call each other, and so do those that write the log. */
let isWriting = false

/** @returns Whether the program is to end when the call has been made. */
function step(name, detail) {
  if (isWriting) return false
  calls++
  isWriting = true
  if (log !== undefined) appendFileSync(log, `${program}:${calls} ${name} ${detail}\n`)
  isWriting = false
  if (target !== `${program}:${calls}`) return false
  if (!isAfter) end()
  return true
}

function end() {
  process.kill(isAlone ? process.pid : 0, 'SIGKILL')
}

const CHANGES = [
  ...['rename', 'mkdir', 'mkdtemp', 'rm', 'rmdir', 'unlink', 'link', 'symlink', 'copyFile', 'cp'],
  ...['writeFile', 'appendFile', 'truncate', 'utimes', 'lutimes', 'chmod', 'chown', 'lchown'],
]
/** By descriptor: one below this is a pipe. */
const DESCRIPTOR_CHANGES = ['write', 'writev', 'ftruncate', 'futimes', 'fchmod', 'fchown']
const LEAST_DESCRIPTOR = 4
const HANDLE_CHANGES = ['write', 'writev', 'writeFile', 'appendFile', 'truncate', 'utimes', 'chmod', 'chown']

const {O_WRONLY, O_RDWR, O_CREAT, O_TRUNC} = fs.constants

function isOpenedToWrite(path, flags) {
  // A lock is nothing to be found half done.
  if (String(path).endsWith('.lock')) return false
  if (typeof flags === 'number') return (flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) !== 0
  return typeof flags === 'string' && flags !== 'r'
}

/** Has `object[name]` counted wherever `isChange` says so of its arguments. */
function watch(object, name, isChange = () => true) {
  const original = object[name]
  if (typeof original !== 'function') return
  function watched(...given) {
    const isLast = isChange(...given) && step(name, basename(String(given[0])))
    const result = Reflect.apply(original, this, given)
    if (!isLast) return result
    if (result instanceof Promise) return result.finally(end)
    return end()
  }
  object[name] = Object.defineProperties(watched, Object.getOwnPropertyDescriptors(original))
}

const handle = await fs.promises.open('/dev/null')
const handlePrototype = Object.getPrototypeOf(handle)
await handle.close()
for (const name of HANDLE_CHANGES) watch(handlePrototype, name)
for (const module of [fs, fs.promises]) {
  for (const name of CHANGES) {
    watch(module, name)
    watch(module, `${name}Sync`)
  }
  for (const name of ['open', 'openSync']) watch(module, name, isOpenedToWrite)
}
for (const name of DESCRIPTOR_CHANGES) {
  const isFile = (fd) => fd >= LEAST_DESCRIPTOR
  watch(fs, name, isFile)
  watch(fs, `${name}Sync`, isFile)
}

/** They change nothing that could be found. */
const HARMLESS = new Set(['flock', 'sync'])

const {spawn} = childProcess
childProcess.spawn = (file, argv, options) => {
  const words = [file, ...argv]
  const at = words.findIndex((word) => basename(word) === 'rootfs-worker.cjs')
  if (at === -1) {
    const isLast = !HARMLESS.has(basename(file)) && step('spawn', basename(file))
    const child = spawn(file, argv, options)
    if (isLast) end()
    return child
  }
  workers++
  const isLast = step('spawn', `worker ${words[at + 1]}`)
  const child = spawn(file, argv, {...options, env: {...options.env, ...inherited()}})
  if (isLast) end()
  return child
}

function inherited() {
  const names = ['NODE_OPTIONS', 'ENVS_STEP_KILL', 'ENVS_STEP_ALONE', 'ENVS_STEP_AFTER', 'ENVS_STEP_LOG']
  const given = names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]))
  return {...Object.fromEntries(given), ENVS_STEP_PROGRAM: String(workers)}
}

syncBuiltinESMExports()
