#!/usr/bin/env node
const {existsSync} = require('node:fs')
const path = require('node:path')

const OLDEST_NODE = [20, 17]
const program = path.join(__dirname, '../dist/main.cjs')

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
} else if (!existsSync(program)) {
  refuse('this checkout of envs has not been built.', 'try: npm run build')
} else {
  const argv = process.argv.slice(2)
  const {loadProgram} = require('./code-cache.js')
  loadProgram(path.dirname(program), argv).run(argv)
}
