// Serves the files of a folder on this machine alone, and says the port.
const {createServer} = require('node:http')
const {readFile} = require('node:fs')
const {basename, join} = require('node:path')

const server = createServer((request, response) => {
  // The repository has no folders.
  readFile(join(process.argv[2], basename(request.url)), (error, data) => {
    response.statusCode = error === null ? 200 : 404
    response.end(data)
  })
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
