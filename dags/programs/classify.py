"""One of scikit-learn's classifiers, trained on features; what it makes of the test features, as probabilities [N, classes]."""

import numpy as np
import satdl
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

CLASSIFIERS = {
    "logistic_regression": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)),
    "k_nearest": lambda: KNeighborsClassifier(n_neighbors=5),
    "naive_bayes": lambda: GaussianNB(var_smoothing=1e-2),
    "tree": lambda: DecisionTreeClassifier(max_depth=12, random_state=satdl.params.seed),
}


def rows(name: str) -> np.ndarray:
    features = satdl.input(name)
    return features.reshape(len(features), -1)


classifier = CLASSIFIERS[satdl.params.classifier]()
labels = np.asarray(satdl.input("labels"))
classifier.fit(rows("train"), labels)

# A class that the training labels lack has probability 0.
test = rows("test")
probabilities = np.zeros((len(test), 10), dtype=np.float32)
probabilities[:, classifier.classes_] = classifier.predict_proba(test)
satdl.output("predictions", probabilities)
