// Preloaded into envs: notes which of Node's modules it asks for, one a line, in the file of ENVS_TEST_BUILTINS.
const {appendFileSync} = require('node:fs')
const Module = require('node:module')

const load = Module._load
const asked = new Set()
Module._load = (id, ...rest) => {
  if (Module.isBuiltin(id)) asked.add(id)
  return load(id, ...rest)
}
process.once('exit', () => appendFileSync(process.env.ENVS_TEST_BUILTINS, [...asked, ''].join('\n')))
