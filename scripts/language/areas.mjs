/**
 * Where people read. An area with `held` fails the check; the others are counted by `--all` until their texts are rewritten.
 * `texts`: comments alone, or strings as well. Files that are generated are checked at their source.
 */
export const AREAS = [
  {name: 'front page', paths: ['README.md'], held: true},
  {
    name: 'commands',
    paths: ['commands'],
    texts: 'all',
    held: true,
    // Their messages are not rewritten yet.
    except: ['clone', 'create', 'doctor', 'restore', 'snapshot', 'undo'].map((name) => `commands/${name}.ts`),
  },
  {name: 'generated pages', paths: ['docs/commands'], held: true},
  {name: 'decisions', paths: ['docs/decisions'], held: true},
  {
    name: 'docs',
    paths: ['docs', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md'],
    held: true,
    // Generated from the messages and schemas, which are not rewritten yet.
    except: ['docs/troubleshooting.md', 'docs/json.md'],
  },
  {name: 'src/rootfs', paths: ['src/rootfs'], texts: 'comments', held: true},
  {name: 'src/compression', paths: ['src/compression'], texts: 'comments', held: true},
  {name: 'src/images', paths: ['src/images'], texts: 'all', held: true},
  {name: 'src/apt', paths: ['src/apt'], texts: 'all', held: true},
  {name: 'src/host', paths: ['src/host'], texts: 'all', held: true},
  {name: 'src/cli', paths: ['src/cli'], texts: 'all', held: true},
  {name: 'src/config', paths: ['src/config'], texts: 'all', held: true},
  {name: 'src/errors.ts', paths: ['src/errors.ts'], texts: 'all', held: true},
  {name: 'src/doctor', paths: ['src/doctor'], texts: 'comments', held: true},
  {name: 'src', paths: ['src'], texts: 'comments', held: false},
  {name: 'templates', paths: ['templates'], texts: 'comments', held: true},
  {name: 'scripts', paths: ['scripts'], texts: 'comments', held: true},
  {name: 'bench', paths: ['bench'], texts: 'comments', held: true},
  {name: 'matrix', paths: ['matrix'], texts: 'comments', held: true},
]
