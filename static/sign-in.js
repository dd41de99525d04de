/* Whoever came here by a link to a machine gets there after signing in: the place behind `#` goes along. */
const { hash } = location;
document.getElementById('form').action += hash;
if (hash) document.getElementById('issuer').search = `at=${encodeURIComponent(hash)}`;
