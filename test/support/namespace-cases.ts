import {type EngineCase, engineCases} from './engine-cases.js'

/** Every engine that has namespaces with each identity; call it once a file, outside of a test. */
export function namespaceCases(): readonly EngineCase[] {
  return engineCases().filter(({engine}) => engine !== 'proot')
}
