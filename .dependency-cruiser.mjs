import {DOORS, ROOMS} from './scripts/rooms.mjs'

/** Rooms within rooms: `images` doesn't hold what is below `images/signature`. */
const inner = Object.keys(ROOMS).filter((room) => room.includes('/'))

function pathOf(room) {
  if (room === 'errors') return '^src/errors\\.ts$'
  if (room === 'commands') return '^commands/'
  const within = inner
    .filter((name) => name.startsWith(`${room}/`))
    .map((name) => name.slice(room.length + 1))
  return `^src/${room}/${within.length === 0 ? '' : `(?!(${within.join('|')})/)`}`
}

export default {
  forbidden: [
    {name: 'no-cycle', severity: 'error', from: {}, to: {circular: true}},
    {name: 'no-unresolved', severity: 'error', from: {}, to: {couldNotResolve: true}},
  ],
  allowed: [
    {from: {}, to: {dependencyTypes: ['core']}},
    {from: {path: '^node_modules/'}, to: {}},
    ...Object.entries(ROOMS).map(([room, others]) => ({
      from: {path: pathOf(room)},
      to: {path: [room, ...others].map(pathOf)},
    })),
    ...Object.entries(DOORS).map(([name, folders]) => ({
      from: {path: folders.map((folder) => (folder === '.' ? '^src/' : `^src/${folder}/`))},
      to: {path: `^node_modules/${name}/`},
    })),
  ],
  allowedSeverity: 'error',
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: {path: '^node_modules/'},
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['node', 'import', 'default', 'types'],
    },
  },
}
