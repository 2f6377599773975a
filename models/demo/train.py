"""Train, export and check Hotpath's demo models.

    python3 -m venv env && env/bin/pip install -r models/demo/requirements.txt
    env/bin/python models/demo/train.py

makes again everything below models/demo/repository and models/demo/candidates
that a machine makes (model.onnx and golden.json; the config.yaml files and
experiments.yaml are written by hand), features.csv and features.yaml. The same versions of the libraries on the
same machine give the same bytes; Python is needed for nothing else.

The models, all on data sets that scikit-learn bundles:

risk (versions 1 to 3): the probability that a breast tumour is malignant, from
    30 measurements (Wisconsin diagnostic data set, 569 rows). scikit-learn's
    own target is 1 for benign; it is turned round here, so that label 1 is the
    risk. The features are rounded to float32 before training, because that is
    what the ONNX models take: a tree's threshold then falls on the same side
    for both. Version 3 goes to candidates/, for the operator to copy in.

digits: which digit an 8x8 image shows (1797 images, pixels 0 to 16). A Reshape
    at the front of the graph takes the image as it is.

progression: whether diabetes will progress fast (above the median of the data
    set) or slowly within a year (442 patients, unscaled data). The data set has
    no text columns, so one is derived from a measured column: bmi_class is the
    WHO class of the body mass index (under 18.5 underweight, under 25 normal,
    under 30 overweight, else obese) and replaces the index. sex is the data
    set's own code, 1 or 2, which its authors do not explain.

features.csv: the measurements of users user-1 to user-500, each a row of the
    tumour data set. Three quarters of the rows were trained on: the file is
    there to be served, not to measure a model with.
"""

import pathlib

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType

import export

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE / "repository"
CANDIDATES = HERE / "candidates"
SEED = 2026
USERS = 500
BMI_CLASSES = ["underweight", "normal", "overweight", "obese"]

SCHEMA_HEAD = """\
# What the demo models read: the features of each entity, which live in Redis,
# and those that a request may leave out. Written by train.py.
#
# A feature of a user is a field of the Redis hash features:user:<user id>. When
# the field is not there, or not a number, the default is used: the mean over
# the rows that the risk model was trained on. The other policy is `error`: the
# request is refused with 422 bad_features, for a feature without which a score
# would mean nothing:
#
#   mean_radius: {type: float, default: 14.1, on_missing: error}
#
# To refuse, or replace by the default, what is too old, give a feature a
# max_age; its hash must then tell the time of its last write, in Unix
# milliseconds, in the timestamp_field:
#
#   mean_radius: {type: float, default: 14.1, max_age: 24h, on_stale: default}
entities:
  user:
    key: "features:user:{id}"
    timestamp_field: _ts
    features:"""
SCHEMA_REQUEST = """
# Features that only a request can bring, used by the progression model. One
# that is not listed here (bmi_class, sex, age) has no default: a request
# without it is refused.
request:"""


def split(labels):
    """Row numbers to train on and row numbers to judge and to take golden cases from."""
    return train_test_split(np.arange(len(labels)), test_size=0.25, random_state=SEED, stratify=labels)


def report(name, worst, truth, answer, auc):
    """Print how well a model does on rows it has not seen, and how faithful its export is."""
    accuracy = accuracy_score(truth, answer)
    print(f"{name:<14} accuracy {accuracy:.3f}  AUC {auc:.3f}  largest export difference {worst:.1e}")


def load_risk():
    """The tumour data: feature names in snake case, float32 rows, 1 for malignant."""
    data = load_breast_cancer()
    names = [n.replace(" ", "_") for n in data.feature_names]
    return names, data.data.astype(np.float32), 1 - data.target


def train_risk():
    """Three versions of `risk`; returns the feature names, all rows, and the means of the training rows."""
    names, rows, malignant = load_risk()
    train, test = split(malignant)
    versions = [
        (REPOSITORY / "risk/1", make_pipeline(StandardScaler(), LogisticRegression(C=0.5, max_iter=1000)),
         "Logistic regression on scaled features."),
        (REPOSITORY / "risk/2", GradientBoostingClassifier(
            n_estimators=80, max_depth=3, learning_rate=0.15, subsample=0.8, random_state=SEED),
         "Gradient boosting, 80 trees of depth 3."),
        (CANDIDATES / "risk/3", RandomForestClassifier(
            n_estimators=120, max_depth=7, min_samples_leaf=2, random_state=SEED),
         "Random forest, 120 trees of depth 7."),
    ]
    for folder, estimator, description in versions:
        estimator.fit(rows[train], malignant[train])
        model = export.to_onnx(
            estimator, [("X", FloatTensorType([None, len(names)]))], "risk", description)
        export.state_output_shapes(model, 2)
        want = export.predict(estimator, rows, np.int64)
        worst = export.write_version(folder, model, estimator, {"X": rows}, want, test)
        report(f"risk {folder.name}", worst, malignant[test], want["label"][test],
               roc_auc_score(malignant[test], want["probabilities"][test, 1]))
    return names, rows, rows[train].mean(axis=0, dtype=np.float64)


def train_digits():
    """The classifier of raw images."""
    data = load_digits()
    flat = data.data.astype(np.float32)
    train, test = split(data.target)
    estimator = make_pipeline(
        StandardScaler(), MLPClassifier((48,), alpha=0.1, max_iter=400, random_state=SEED))
    estimator.fit(flat[train], data.target[train])
    model = export.to_onnx(
        estimator, [("pixels", FloatTensorType([None, 64]))], "digits", "Which digit an 8x8 image shows.")
    export.accept_images(model, 8)
    export.state_output_shapes(model, 10)
    want = export.predict(estimator, flat, np.int64)
    images = {"image": flat.reshape(-1, 8, 8)}
    worst = export.write_version(REPOSITORY / "digits/1", model, estimator, images, want, test)
    auc = roc_auc_score(data.target[test], want["probabilities"][test], multi_class="ovr")
    report("digits 1", worst, data.target[test], want["label"][test], auc)


def load_progression():
    """The diabetes data as a frame of mixed types, and its labels `fast` and `slow`."""
    data = load_diabetes(scaled=False)
    table = dict(zip(data.feature_names, data.data.T))
    cut = np.digitize(table["bmi"], [18.5, 25, 30])
    frame = pd.DataFrame({
        "bmi_class": pd.Series([BMI_CLASSES[c] for c in cut], dtype=object),
        "sex": table["sex"].astype(np.int64),
        "age": table["age"].astype(np.int64),
        "blood_pressure": table["bp"].astype(np.float32),
        "hdl": table["s3"].astype(np.float32),
        "log_triglycerides": table["s5"].astype(np.float32),
    })
    return frame, np.where(data.target > np.median(data.target), "fast", "slow")


def train_progression():
    """The model of several inputs: one text, two int64 and three float columns."""
    frame, labels = load_progression()
    train, test = split(labels)
    estimator = make_pipeline(
        ColumnTransformer([
            ("text", OneHotEncoder(categories=[BMI_CLASSES], handle_unknown="ignore"), ["bmi_class"]),
            ("code", OneHotEncoder(handle_unknown="ignore"), ["sex"]),
            ("years", StandardScaler(), ["age"]),
            ("measured", StandardScaler(), ["blood_pressure", "hdl", "log_triglycerides"]),
        ]),
        LogisticRegression(C=0.5, max_iter=1000),
    )
    estimator.fit(frame.iloc[train], labels[train])
    kinds = {"bmi_class": StringTensorType, "sex": Int64TensorType, "age": Int64TensorType}
    inputs = [(c, kinds.get(c, FloatTensorType)([None, 1])) for c in frame.columns]
    model = export.to_onnx(
        estimator, inputs, "progression", "Whether diabetes progresses fast or slowly within a year.")
    export.state_output_shapes(model, 2)
    want = export.predict(estimator, frame, object)
    columns = {c: frame[[c]].to_numpy() for c in frame.columns}
    worst = export.write_version(REPOSITORY / "progression/1", model, estimator, columns, want, test)
    report("progression 1", worst, labels[test], want["label"][test].astype(str),
           roc_auc_score(labels[test] == "fast", want["probabilities"][test, 0]))
    return frame.iloc[train][["blood_pressure", "hdl", "log_triglycerides"]].astype(np.float64).mean()


def write_features(names, rows):
    """features.csv, every number with the fewest digits that give the float32 back."""
    lines = [",".join(["entity", "id", *names])]
    for i in range(USERS):
        row = rows[i % len(rows)]
        lines.append(",".join(["user", f"user-{i + 1}", *(np.format_float_positional(v, trim="-") for v in row)]))
    (HERE / "features.csv").write_text("\n".join(lines) + "\n")
    print(f"features.csv   {USERS} users, {len(names)} features each")


def write_schema(names, means, request_means):
    """features.yaml: types and defaults; the default of a measurement is its mean over the training rows."""
    lines = [SCHEMA_HEAD]
    width = max(map(len, names)) + 1
    for name, mean in zip(names, means):
        lines.append(f"      {name + ':':<{width}} {{type: float, default: {mean:.6g}, override: true}}")
    lines.append(SCHEMA_REQUEST)
    for name, mean in request_means.items():
        lines.append(f"  {name}: {{type: float, default: {mean:.6g}}}")
    (HERE / "features.yaml").write_text("\n".join(lines) + "\n")
    print(f"features.yaml  {len(names)} features of user, {len(request_means)} of the request")


def main():
    names, rows, means = train_risk()
    write_features(names, rows)
    train_digits()
    write_schema(names, means, train_progression())


if __name__ == "__main__":
    main()
