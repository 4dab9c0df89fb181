// What TypeScript's compiler finds imported and Node (for .js) or TypeScript (for .ts) resolves, for files named on standard input.
// usage: node imports.js PATH_OF_TYPESCRIPT_JS < paths, one a line; prints a JSON list of [file, resolved file]
"use strict";
const fs = require("fs");
const path = require("path");
const { createRequire } = require("module");
const ts = require(process.argv[2]);

const options = { moduleResolution: ts.ModuleResolutionKind.Node10, allowJs: true, resolveJsonModule: true };

function resolved(name, file) {
  if (/\.[cm]?tsx?$/.test(file)) {
    const found = ts.resolveModuleName(name, file, options, ts.sys).resolvedModule;
    return found ? found.resolvedFileName : null;
  }
  try {
    return createRequire(file).resolve(name);
  } catch {
    return null;
  }
}

const edges = [];
for (const file of fs.readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  const told = ts.preProcessFile(fs.readFileSync(file, "utf8"), true, true);
  for (const { fileName } of told.importedFiles) {
    const found = resolved(fileName, file);
    if (found && path.isAbsolute(found)) edges.push([file, fs.realpathSync(found)]);
  }
}
process.stdout.write(JSON.stringify(edges));
