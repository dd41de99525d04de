// Names that a declaration uses before it declares them: `const { a } = b, b = 1`. The minifier has made such ones.
const { parse } = require('internal/deps/acorn/acorn/dist/acorn');
const found = [];
const isFunction = (node) => /Function/.test(node.type);
const children = (node) => Object.values(node).flat().filter((part) => part && typeof part.type === 'string');
function bound(pattern, names = new Set()) {
    if (pattern.type === 'Identifier') names.add(pattern.name);
    else if (pattern.type === 'Property') bound(pattern.value, names);
    else if (pattern.type === 'AssignmentPattern') bound(pattern.left, names);
    else for (const part of children(pattern)) bound(part, names);
    return names;
}
function used(node, names = new Set()) {
    if (!node || isFunction(node)) return names; // it is called later
    if (node.type === 'Identifier') names.add(node.name);
    if (node.type === 'MemberExpression' && !node.computed) return used(node.object, names);
    if (node.type === 'Property' && !node.computed) return used(node.value, names);
    for (const part of children(node)) used(part, names);
    return names;
}
function walk(node) {
    if (node.type === 'VariableDeclaration') {
        node.declarations.forEach(({ init }, i) => {
            const later = node.declarations.slice(i).flatMap(({ id }) => [...bound(id)]);
            for (const name of used(init)) if (later.includes(name)) found.push(`${name} at ${node.start}`);
        });
    }
    for (const part of children(node)) walk(part);
}
walk(parse(require('fs').readFileSync(0, 'utf8'), { ecmaVersion: 'latest', sourceType: 'module' }));
console.log(JSON.stringify(found));
