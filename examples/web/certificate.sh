# An authority and its certificate for localhost, in a new folder: sh certificate.sh FOLDER
set -eu
if [ -e "$1" ]; then
    exit
fi
umask 077
new=$1.new                # made elsewhere first: either all of it is there, or nothing
rm -rf "$new"
mkdir "$new"
cd "$new"

quietly() {
    "$@" >log 2>&1 || { cat log; exit 1; }
}
key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
quietly openssl req -x509 $key -days 30 -subj "/CN=an example's authority" \
    -keyout ca.key -out ca.crt
quietly openssl req $key -subj "/CN=localhost" -keyout localhost.key -out localhost.csr
echo "subjectAltName = DNS:localhost, IP:127.0.0.1" >names
quietly openssl x509 -req -days 30 -in localhost.csr -extfile names \
    -CA ca.crt -CAkey ca.key -CAcreateserial -out localhost.crt
cat localhost.crt localhost.key >localhost.pem    # as haproxy wants them
rm ca.key ca.srl localhost.csr names log          # nobody can sign with it any more

mv "$new" "$1"
echo "clients verify with $1/ca.crt"
