#!/usr/bin/env node
import {existsSync} from 'node:fs'
import * as nodeModule from 'node:module'
import process from 'node:process'

const OLDEST_NODE = [20, 17]
const entry = new URL('../dist/main.js', import.meta.url)

function isNodeTooOld() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  return major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])
}

function refuse(message, nextStep) {
  process.stderr.write(`envs: ${message}\n  ${nextStep}\n`)
  process.exitCode = 7
}

if (isNodeTooOld()) {
  refuse(
    `Node.js ${process.versions.node} is too old.`,
    `Install Node.js ${OLDEST_NODE.join('.')} or later; your own copy of it needs no administrator.`,
  )
} else if (!existsSync(entry)) {
  refuse('this checkout of envs has not been built.', 'try: npm run build')
} else {
  nodeModule.enableCompileCache?.()
  const {main} = await import(entry.href)
  await main(process.argv.slice(2))
}
