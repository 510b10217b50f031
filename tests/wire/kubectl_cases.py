"""What the real kubectl does with an API server, as one table: it runs on the embedded server and on a real one.

The cases run in order on one fresh server, so that later ones find what earlier ones made. `compare` is off where the
output may differ for a good reason, which is given in `why`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    name: str
    argv: str
    stdin: str = ""
    code: int = 0
    has: tuple[str, ...] = ()
    """Texts that the output must contain."""
    compare: bool = True
    why: str = ""
    script: str = ""
    """An editor for `kubectl edit`: a sed expression."""


DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, labels: {app: shop}}
spec:
  replicas: 2
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
      - name: web
        image: nginx:1.27
        ports: [{containerPort: 80}]
        resources: {requests: {cpu: 100m, memory: 64Mi}}
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: shop}
spec:
  selector: {app: shop}
  ports: [{name: http, port: 80, targetPort: 8080}]
"""
CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {tier: back}}
data: {color: red, size: "3"}
"""
CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.sea.example}
spec:
  group: sea.example
  scope: Namespaced
  names: {plural: boats, singular: boat, kind: Boat, shortNames: [bt], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.crew, statusReplicasPath: .status.crew, labelSelectorPath: .status.selector}
    additionalPrinterColumns:
    - {name: Crew, type: integer, jsonPath: .spec.crew}
    - {name: Port, type: string, jsonPath: .spec.port, priority: 1}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          spec:
            type: object
            required: [port]
            properties:
              crew: {type: integer, minimum: 1, maximum: 20, default: 3}
              port: {type: string, pattern: '^[a-z]+$'}
              cargo:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [item]
                items:
                  type: object
                  required: [item]
                  properties:
                    item: {type: string}
                    tons: {type: number}
              flag: {x-kubernetes-int-or-string: true}
              mode: {type: string, enum: [sail, steam]}
          status:
            type: object
            properties:
              crew: {type: integer}
              selector: {type: string}
  - name: v1beta1
    served: true
    storage: false
    deprecated: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
  - name: v1alpha1
    served: true
    storage: false
    deprecated: true
    deprecationWarning: sea.example/v1alpha1 Boat sinks soon
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""
BOAT = """
apiVersion: sea.example/v1
kind: Boat
metadata: {name: pinta}
spec:
  port: palos
  cargo: [{item: wine, tons: 4}]
"""

POD = """
apiVersion: v1
kind: Pod
metadata: {name: lone, labels: {app: lone}}
spec:
  containers:
  - name: main
    image: busybox
    command: [sleep, "3600"]
    env: [{name: A, value: b}, {name: P, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
    resources: {requests: {cpu: "0.5", memory: 1Gi}, limits: {cpu: 1000m, memory: 1Gi}}
    livenessProbe: {httpGet: {path: /, port: 80}}
  tolerations: [{key: a, operator: Exists}]
"""
STATEFUL = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: postgres}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""
DAEMON = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: agent, image: agent}]}
"""
NODE = """
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {zone: a}}
status:
  capacity: {cpu: "4", memory: 8Gi, pods: "110"}
  conditions: [{type: Ready, status: "True", reason: KubeletReady}]
"""
CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1.5Gi}}}
"""
NETWORK = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed}
spec: {podSelector: {}, policyTypes: [Ingress]}
"""
SLICE = """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: shop-1, labels: {kubernetes.io/service-name: shop}}
addressType: IPv4
endpoints: [{addresses: [10.1.2.3], conditions: {ready: true}}]
ports: [{name: http, port: 80, protocol: TCP}]
"""
EVENT = """
apiVersion: v1
kind: Event
metadata: {name: something.1}
involvedObject: {apiVersion: v1, kind: Pod, name: lone, namespace: default}
reason: Happened
message: it happened
type: Normal
count: 3
source: {component: test}
firstTimestamp: "2026-01-01T00:00:00Z"
lastTimestamp: "2026-01-01T00:00:00Z"
"""
LEASE = """
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: leader}
spec: {holderIdentity: me, leaseDurationSeconds: 15}
"""
HOOK = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: hook}
webhooks:
- name: a.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  clientConfig: {url: "https://127.0.0.1:1/x"}
  rules: [{apiGroups: ["x.example"], apiVersions: ["*"], operations: [CREATE], resources: ["*"]}]
"""

CASES: tuple[Case, ...] = (
    Case("version", "version -o json", compare=False, why="build details"),
    Case("api-versions", "api-versions", compare=False, why="the real one serves more groups", has=("apps/v1",)),
    Case("api-resources", "api-resources --api-group=apps"),
    Case("api-resources-wide", "api-resources --api-group=apps -o wide"),
    Case("explain", "explain deployment.spec.strategy", compare=False, why="no prose", has=("RollingUpdate",)),
    Case("explain-recursive", "explain deployment.spec.strategy --recursive", compare=False, why="no prose"),
    Case("get-raw", "get --raw /healthz", has=("ok",)),
    Case("get-raw-readyz", "get --raw /readyz", has=("ok",)),
    Case("get-raw-missing", "get --raw /nonsense", code=1),
    Case("get-raw-api", "get --raw /apis/apps/v1/namespaces/default/deployments"),
    Case("unknown-kind", "get unicorns", code=1, has=("doesn't have a resource type",)),
    Case("get-namespaces", "get namespaces"),
    Case("get-ns-labels", "get ns default --show-labels"),
    Case("get-missing", "get cm nothing", code=1, has=("NotFound",)),
    Case("get-none", "get cm -l a=b"),
    Case("apply-config", "apply -f -", stdin=CONFIG, has=("configmap/settings created",)),
    Case("apply-same", "apply -f -", stdin=CONFIG, has=("unchanged",)),
    Case("apply-changed", "apply -f -", stdin=CONFIG.replace("red", "blue"), has=("configured",)),
    Case("get-config", "get cm settings -o yaml"),
    Case("get-config-fields", "get cm settings -o yaml --show-managed-fields"),
    Case("get-config-jsonpath", "get cm settings -o jsonpath={.data.color}", has=("blue",)),
    Case("get-config-name", "get cm settings -o name"),
    Case("get-config-wide", "get cm settings -o wide"),
    Case("get-by-label", "get cm -l tier=back"),
    Case("get-by-label-set", "get cm -l 'tier in (back,front)' -o name"),
    Case(
        "get-bad-label",
        "get cm -l 'tier=='=x",
        code=1,
        compare=False,
        why="the parser's own words",
    ),
    Case("get-by-field", "get cm --field-selector metadata.name=settings -o name"),
    Case("get-bad-field", "get cm --field-selector data.color=blue", code=1),
    Case("get-all-namespaces", "get cm -A --field-selector metadata.name=settings"),
    Case("apply-dry-run", "apply -f - --dry-run=server", stdin=CONFIG.replace("red", "green"), has=("server dry run",)),
    Case("still-blue", "get cm settings -o jsonpath={.data}"),
    Case(
        "diff", "diff -f -", stdin=CONFIG.replace("red", "green"), code=1, compare=False, why="names of temporary files"
    ),
    Case("label", "label cm settings team=blue"),
    Case("label-again", "label cm settings team=green", code=1),
    Case("label-overwrite", "label cm settings team=green --overwrite"),
    Case("label-remove", "label cm settings team-"),
    Case("label-bad", "label cm settings team=not/good", code=1),
    Case("annotate", "annotate cm settings note='a b c'"),
    Case("patch-merge", 'patch cm settings --type merge -p \'{"data":{"color":"black","size":null}}\''),
    Case("patch-nothing", 'patch cm settings --type merge -p \'{"data":{"color":"black"}}\'', has=("no change",)),
    Case("patch-json", 'patch cm settings --type json -p \'[{"op":"add","path":"/data/deep","value":"1"}]\''),
    Case(
        "patch-json-test",
        'patch cm settings --type json -p \'[{"op":"test","path":"/data/deep","value":"2"}]\'',
        code=1,
    ),
    Case("patch-json-bad", 'patch cm settings --type json -p \'[{"op":"remove","path":"/data/none"}]\'', code=1),
    Case("patch-strategic", 'patch cm settings -p \'{"data":{"color":"white"}}\''),
    Case(
        "patch-bad-type",
        'patch cm settings -p \'{"data":{"color":5}}\'',
        code=1,
    ),
    Case("patch-bad-map", 'patch cm settings -p \'{"data":["color"]}\'', code=1),
    Case("patch-bad-bool", 'patch cm settings -p \'{"immutable":"no","data":{"a":"b"}}\'', code=1),
    Case("patch-bad-bytes", 'patch cm settings -p \'{"binaryData":{"a":"?"}}\'', code=1),
    Case(
        "patch-bad-merge",
        'patch cm settings --type merge -p \'{"data":{"color":5,"z":null},"immutable":true}\'',
        code=1,
    ),
    Case(
        "patch-bad-json", 'patch cm settings --type json -p \'[{"op":"add","path":"/data/color","value":[1]}]\'', code=1
    ),
    Case("patch-bad-key", 'patch cm settings -p \'{"data":{"a b":"x"}}\'', code=1),
    Case("patch-unknown", 'patch cm settings -p \'{"dota":{"a":"x"}}\''),
    Case("config-after-patches", "get cm settings -o yaml --show-managed-fields"),
    Case("edit", "edit cm settings", script="s/white/pink/", has=("edited",)),
    Case("edit-nothing", "edit cm settings", script="s/nothing/x/", compare=False, why="a notice of cancelling"),
    Case("replace", "replace -f -", stdin=CONFIG.replace("red", "gold")),
    Case("replace-missing", "replace -f -", stdin=CONFIG.replace("settings", "nowhere"), code=1),
    Case("create-again", "create -f -", stdin=CONFIG, code=1, has=("AlreadyExists",)),
    Case(
        "create-generate",
        "create -f - -o jsonpath={.metadata.generateName}",
        stdin=CONFIG.replace("name: settings", "generateName: gen-"),
    ),
    Case("create-bad-name", "create -f -", stdin=CONFIG.replace("name: settings", "name: Not_Good"), code=1),
    Case("create-no-namespace", "create -n nowhere -f -", stdin=CONFIG, code=1),
    Case(
        "create-unknown-field",
        "create -f -",
        stdin=CONFIG.replace("\ndata:", "\ndota:"),
        code=1,
        has=("unknown field",),
    ),
    Case(
        "create-unknown-ok",
        "create --validate=ignore -f -",
        stdin=CONFIG.replace("\ndata:", "\ndota:").replace("settings", "odd"),
    ),
    Case(
        "create-unknown-warn",
        "create --validate=warn -f -",
        stdin=CONFIG.replace("\ndata:", "\ndota:").replace("settings", "odd2"),
    ),
    Case(
        "raw-duplicate",
        "create --raw /api/v1/namespaces/default/configmaps?fieldValidation=Strict -f -",
        stdin='{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"dd"},"data":{"a":"1","a":"2"}}',
        code=1,
    ),
    Case("create-wrong-type", "create -f -", stdin=CONFIG.replace('"3"', "3"), code=1),
    Case("delete-odd", "delete cm odd odd2"),
    Case("delete-missing", "delete cm odd", code=1),
    Case("delete-missing-ignored", "delete cm odd --ignore-not-found"),
    Case("apply-deployment", "apply -f -", stdin=DEPLOYMENT),
    Case("get-deployment", "get deploy"),
    Case("get-deployment-wide", "get deploy -o wide"),
    Case("get-deployment-yaml", "get deploy shop -o yaml --show-managed-fields"),
    Case("describe-deployment", "describe deploy shop"),
    Case("set-image", "set image deploy/shop web=nginx:1.28"),
    Case("set-env", "set env deploy/shop MODE=fast"),
    Case("set-resources", "set resources deploy/shop --limits=cpu=200m"),
    Case("scale", "scale deploy shop --replicas=5"),
    Case("scale-precondition", "scale deploy shop --current-replicas=3 --replicas=4", code=1),
    Case("get-scale", "get --raw /apis/apps/v1/namespaces/default/deployments/shop/scale"),
    Case("rollout-pause", "rollout pause deploy/shop"),
    Case("rollout-resume", "rollout resume deploy/shop"),
    Case("rollout-restart", "rollout restart deploy/shop", has=("restarted",)),
    Case("deployment-spec", "get deploy shop -o jsonpath={.spec.replicas}/{.metadata.generation}"),
    Case(
        "deployment-yaml-later",
        "get deploy shop -o yaml --show-managed-fields",
        compare=False,
        why="time of the restart",
    ),
    Case(
        "deployment-selector",
        'patch deploy shop --type merge -p \'{"spec":{"selector":{"matchLabels":{"app":"x"}}}}\'',
        code=1,
    ),
    Case("deployment-negative", 'patch deploy shop --type merge -p \'{"spec":{"replicas":-1}}\'', code=1),
    Case(
        "deployment-wrong-type",
        'patch deploy shop --type merge -p \'{"spec":{"replicas":"two"}}\'',
        code=1,
    ),
    Case("deployment-wrong-strategic", 'patch deploy shop -p \'{"spec":{"replicas":"two"}}\'', code=1),
    Case("deployment-wrong-fraction", 'patch deploy shop -p \'{"spec":{"replicas":1.5,"paused":true}}\'', code=1),
    Case(
        "deployment-wrong-policy",
        'patch deploy shop -p \'{"spec":{"template":{"spec":{"restartPolicy":7,"hostNetwork":null}}}}\'',
        code=1,
    ),
    Case("deployment-wrong-struct", 'patch deploy shop -p \'{"spec":{"strategy":"Recreate"}}\'', code=1),
    Case(
        "deployment-wrong-json",
        'patch deploy shop --type json -p \'[{"op":"replace","path":"/spec/template/spec/restartPolicy","value":7}]\'',
        code=1,
    ),
    Case(
        "deployment-container",
        'patch deploy shop -p \'{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"s"}]}}}}\'',
    ),
    Case("deployment-containers", "get deploy shop -o jsonpath={.spec.template.spec.containers[*].name}"),
    Case(
        "deployment-invalid",
        "create -f -",
        stdin=DEPLOYMENT.replace("shop", "bad").replace("image: nginx:1.27", "imagePullPolicy: Never"),
        code=1,
    ),
    Case("create-deployment", "create deployment web --image=nginx --replicas=2"),
    Case("autoscale", "autoscale deployment web --min=1 --max=3 --cpu=50%"),
    Case("get-hpa", "get hpa"),
    Case("expose", "expose deployment web --port=80 --target-port=8080"),
    Case("apply-service", "apply -f -", stdin=SERVICE),
    Case("get-services", "get svc shop web", compare=False, why="addresses"),
    Case("service-fields", "get svc shop -o jsonpath={.spec.type}/{.spec.ipFamilies}/{.spec.sessionAffinity}"),
    Case("create-secret", "create secret generic keys --from-literal=a=b"),
    Case("get-secret", "get secret keys -o yaml"),
    Case("secrets-by-type", "get secrets --field-selector type=Opaque"),
    Case("create-account", "create serviceaccount robot"),
    Case("create-token", "create token robot", compare=False, why="a token"),
    Case("create-role", "create role reader --verb=get,list --resource=pods,configmaps"),
    Case("create-rolebinding", "create rolebinding readers --role=reader --serviceaccount=default:robot"),
    Case("can-i", "auth can-i list configmaps --as=system:serviceaccount:default:robot", has=("yes",)),
    Case("cannot", "auth can-i delete configmaps --as=system:serviceaccount:default:robot", code=1, has=("no",)),
    Case("forbidden", "get secrets --as=system:serviceaccount:default:robot", code=1, has=("Forbidden",)),
    Case("allowed", "get cm settings -o name --as=system:serviceaccount:default:robot"),
    Case("can-i-list", "auth can-i --list --as=system:serviceaccount:default:robot", compare=False, why="order"),
    Case("whoami", "auth whoami", compare=False, why="names and groups of the certificate"),
    Case("create-job", "create job once --image=busybox -- echo hi"),
    Case("get-job-yaml", "get job once -o jsonpath={.spec.completions}/{.spec.parallelism}/{.spec.backoffLimit}"),
    Case("create-cronjob", "create cronjob daily --image=busybox --schedule='0 1 * * *' -- echo hi"),
    Case("get-cronjob", "get cronjob"),
    Case("create-quota", "create quota q --hard=pods=5"),
    Case("create-pdb", "create pdb p --selector=app=shop --min-available=1"),
    Case("create-ingress", "create ingress front --rule=shop.example/*=shop:80"),
    Case("get-ingress", "get ingress"),
    Case("create-priority", "create priorityclass high --value=1000"),
    Case("create-ns", "create namespace lab"),
    Case("ns-account", "wait --for=create sa/default -n lab --timeout=10s"),
    Case("ns-root-ca", "wait --for=create cm/kube-root-ca.crt -n lab --timeout=10s"),
    Case("ns-fill", "-n lab create cm x"),
    Case(
        "apply-server-side",
        "apply --server-side -f -",
        stdin=CONFIG.replace("settings", "ssa"),
        has=("serverside-applied",),
    ),
    Case("apply-server-side-fields", "get cm ssa -o yaml --show-managed-fields"),
    Case(
        "apply-other-manager",
        "apply --server-side --field-manager=other -f -",
        stdin=CONFIG.replace("settings", "ssa").replace("red", "blue"),
        code=1,
        has=("conflict",),
    ),
    Case(
        "apply-forced",
        "apply --server-side --field-manager=other --force-conflicts -f -",
        stdin=CONFIG.replace("settings", "ssa").replace("red", "blue"),
    ),
    Case("apply-forced-fields", "get cm ssa -o yaml --show-managed-fields"),
    Case(
        "apply-less",
        "apply --server-side --field-manager=other -f -",
        stdin="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ssa}\ndata: {color: blue}\n",
    ),
    Case("apply-less-fields", "get cm ssa -o yaml --show-managed-fields"),
    Case("apply-migrates", "apply --server-side -f -", stdin=DEPLOYMENT, code=1, has=("conflict",)),
    Case("crd", "apply -f -", stdin=CRD),
    Case("crd-wait", "wait --for=condition=Established crd/boats.sea.example --timeout=10s"),
    Case("crd-get", "get crd"),
    Case(
        "crd-yaml",
        "get crd boats.sea.example -o jsonpath={.status.acceptedNames}{.status.storedVersions}{.spec.conversion}",
    ),
    Case("crd-resources", "api-resources --api-group=sea.example -o wide"),
    Case("boat", "apply -f -", stdin=BOAT),
    Case("boat-get", "get bt"),
    Case("boat-wide", "get boats -o wide"),
    Case("boat-yaml", "get boat pinta -o yaml"),
    Case("boat-scale", "scale boat pinta --replicas=7"),
    Case("boat-scaled", "get boat pinta -o jsonpath={.spec.crew}/{.metadata.generation}"),
    Case("boat-explain", "explain boat.spec", has=("crew",), compare=False, why="no prose"),
    Case("boat-invalid", "apply -f -", stdin=BOAT.replace("palos", "P9").replace("pinta", "nina"), code=1),
    Case(
        "boat-invalid-many",
        "create --validate=false -f -",
        stdin=BOAT.replace("port: palos", "crew: 99\n  mode: oars").replace("pinta", "nina"),
        code=1,
        compare=False,
        why="the real one lists faults in no fixed order",
    ),
    Case(
        "boat-unknown", "create -f -", stdin=BOAT.replace("port:", "speed: 9\n  port:").replace("pinta", "nina"), code=1
    ),
    Case(
        "boat-pruned",
        "create --validate=ignore -f - -o jsonpath={.spec}",
        stdin=BOAT.replace("port:", "speed: 9\n  port:").replace("pinta", "nina"),
    ),
    Case(
        "boat-duplicate-item",
        "create -f -",
        stdin=BOAT.replace("[{item: wine, tons: 4}]", "[{item: wine}, {item: wine}]").replace("pinta", "maria"),
        code=1,
    ),
    Case("boat-strategic", "patch boat pinta --type strategic -p '{}'", code=1),
    Case("boat-merge", 'patch boat pinta --type merge -p \'{"spec":{"mode":"sail"}}\''),
    Case(
        "boat-status",
        'patch boat pinta --subresource=status --type merge -p \'{"status":{"crew":4},"spec":{"crew":9}}\'',
    ),
    Case("boat-after-status", "get boat pinta -o yaml --show-managed-fields"),
    Case("boat-ssa", "apply --server-side -f -", stdin=BOAT.replace("wine, tons: 4", "salt").replace("pinta", "maria")),
    Case(
        "boat-ssa-more",
        "apply --server-side --field-manager=b -f -",
        stdin=BOAT.replace("wine, tons: 4", "fish").replace("pinta", "maria"),
    ),
    Case("boat-ssa-yaml", "get boat maria -o yaml --show-managed-fields"),
    Case("crd-wide", "get crd boats.sea.example -o wide"),
    Case("boat-deprecated", "get boats.v1beta1.sea.example pinta -o name", has=("Boat is deprecated",)),
    Case("boat-sinks", "label boats.v1alpha1.sea.example pinta old=yes", has=("sinks soon",)),
    Case("boats-all", "get all -l none=none"),
    Case("wait-jsonpath", "wait boat/pinta --for=jsonpath={.status.crew}=4 --timeout=5s"),
    Case("wait-timeout", "wait boat/pinta --for=condition=Ready --timeout=1s", code=1),
    Case("boat-delete", "delete boat pinta --wait"),
    Case("crd-delete", "delete crd boats.sea.example --timeout=20s"),
    Case("crd-gone", "get boats", code=1),
    Case("pod", "apply -f -", stdin=POD),
    Case("pod-get", "get pod"),
    Case("pod-wide", "get pod -o wide"),
    Case("pod-yaml", "get pod lone -o yaml --show-managed-fields"),
    Case("pod-describe", "describe pod lone"),
    Case("pod-by-phase", "get pod --field-selector status.phase=Pending -o name"),
    Case("pod-by-node", "get pod --field-selector spec.nodeName=n1"),
    Case("pod-bad-field", "get pod --field-selector spec.nothing=n1", code=1),
    Case(
        "pod-change",
        'patch pod lone -p \'{"spec":{"hostNetwork":true}}\'',
        code=1,
    ),
    Case("pod-image", "set image pod/lone main=busybox:2"),
    Case("pod-event", "create -f -", stdin=EVENT),
    Case("pod-events", "get events --field-selector involvedObject.name=lone"),
    Case("pod-events-wide", "get events -o wide"),
    Case("pod-events-v1", "get events.v1.events.k8s.io something.1 -o yaml"),
    Case("pod-events-of", "events --for pod/lone"),
    Case("pod-run", "run quick --image=nginx --port=80 -l a=b"),
    Case("pod-run-dry", "run dry --image=nginx --dry-run=server -o yaml"),
    Case("pod-no-grace", "delete pod lone --grace-period=0 --force"),
    Case("pod-delete", "delete pod quick --wait=true --timeout=20s"),
    Case("stateful", "apply -f -", stdin=STATEFUL),
    Case("stateful-get", "get sts -o wide"),
    Case("stateful-yaml", "get sts db -o yaml --show-managed-fields"),
    Case("stateful-change", 'patch sts db --type merge -p \'{"spec":{"serviceName":"x"}}\'', code=1),
    Case("stateful-scale", "scale sts db --replicas=2"),
    Case("stateful-describe", "describe sts db"),
    Case("daemon", "apply -f -", stdin=DAEMON),
    Case("daemon-get", "get ds -o wide"),
    Case("daemon-yaml", "get ds agent -o yaml --show-managed-fields"),
    Case("node", "create -f -", stdin=NODE),
    Case("node-get", "get nodes"),
    Case("node-label", "label node n1 disk=ssd"),
    Case("node-taint", "taint node n1 a=b:NoSchedule"),
    Case("node-cordon", "cordon n1"),
    Case("node-unschedulable", "get node --field-selector spec.unschedulable=true -o name"),
    Case(
        "node-yaml",
        "get node n1 -o yaml",
        compare=False,
        why="no controller here takes off the taint that a new node gets",
    ),
    Case("claim", "apply -f -", stdin=CLAIM),
    Case("claim-get", "get pvc -o wide"),
    Case(
        "claim-yaml", "get pvc disk -o yaml", compare=False, why="no controller here takes off the finalizer of a claim"
    ),
    Case("network", "apply -f -", stdin=NETWORK),
    Case("network-get", "get netpol"),
    Case("network-describe", "describe netpol closed"),
    Case("slice", "apply -f -", stdin=SLICE),
    Case("slice-get", "get endpointslices shop-1"),
    Case("slice-yaml", "get endpointslice shop-1 -o yaml"),
    Case("lease", "apply -f -", stdin=LEASE),
    Case("lease-get", "get lease leader"),
    Case("hook", "apply -f -", stdin=HOOK),
    Case("hook-get", "get validatingwebhookconfigurations hook -o yaml"),
    Case("service-yaml", "get svc shop -o yaml --show-managed-fields"),
    Case("service-describe", "describe svc web", compare=False, why="addresses of the cluster"),
    Case("service-node-port", "create service nodeport np --tcp=80 --node-port=30123"),
    Case("service-taken-port", "create service nodeport np2 --tcp=80 --node-port=30123", code=1),
    Case("service-low-port", "create service nodeport np3 --tcp=80 --node-port=99", code=1),
    Case("service-external", "create service externalname ext --external-name=example.org"),
    Case("service-list", "get svc np ext kubernetes"),
    Case(
        "service-address",
        'patch svc np --type merge -p \'{"spec":{"clusterIP":"10.96.77.77","clusterIPs":null}}\'',
        code=1,
    ),
    Case("service-bad-ports", 'patch svc np --type merge -p \'{"spec":{"ports":[]}}\'', code=1),
    Case("role-yaml", "get role reader -o yaml --show-managed-fields"),
    Case("role-describe", "describe role reader"),
    Case("binding-wide", "get rolebinding readers -o wide"),
    Case("binding-change", 'patch rolebinding readers --type merge -p \'{"roleRef":{"name":"x"}}\'', code=1),
    Case("clusterrole-view", "get clusterrole view -o yaml", compare=False, why="roles of groups that are not served"),
    Case("clusterrolebindings", "get clusterrolebinding cluster-admin -o wide"),
    Case("escalate", "create role big --verb=* --resource=* --as=system:serviceaccount:default:robot", code=1),
    Case("binder", "create role binder --verb=create --resource=rolebindings"),
    Case("binders", "create rolebinding binders --role=binder --serviceaccount=default:robot"),
    Case(
        "bind-nowhere",
        "create rolebinding lost --role=nowhere --user=jane --as=system:serviceaccount:default:robot",
        code=1,
        has=("not found",),
    ),
    Case(
        "bind-nowhere-at-all",
        "create rolebinding lost --clusterrole=nowhere --user=jane --as=system:serviceaccount:default:robot",
        code=1,
        has=("not found",),
    ),
    Case("bind-nowhere-as-admin", "create rolebinding lost --role=nowhere --user=jane"),
    Case("quota-get", "get quota"),
    Case("quota-describe", "describe quota q"),
    Case("pdb-get", "get pdb"),
    Case("pdb-yaml", "get pdb p -o yaml"),
    Case("job-get", "get job"),
    Case("job-yaml", "get job once -o yaml"),
    Case("job-describe", "describe job once"),
    Case("job-change", 'patch job once --type merge -p \'{"spec":{"completions":3}}\'', code=1),
    Case("job-suspend", 'patch job once --type merge -p \'{"spec":{"suspend":true}}\''),
    Case("job-from", "create job once-more --from=cronjob/daily"),
    Case("cronjob-yaml", "get cronjob daily -o yaml"),
    Case("cronjob-bad", 'patch cronjob daily --type merge -p \'{"spec":{"schedule":"x"}}\'', code=1),
    Case("hpa-v1", "get hpa.v1.autoscaling web -o yaml"),
    Case("hpa-v2", "get hpa.v2.autoscaling web -o yaml"),
    Case("hpa-describe", "describe hpa web"),
    Case("ingress-yaml", "get ingress front -o yaml"),
    Case("ingress-describe", "describe ingress front"),
    Case("priorities", "get priorityclass"),
    Case("accounts", "get sa"),
    Case("account-yaml", "get sa robot -o yaml"),
    Case("secret-describe", "describe secret keys"),
    Case("secret-change", 'patch secret keys --type merge -p \'{"type":"x"}\'', code=1),
    Case("config-describe", "describe cm settings"),
    Case("config-immutable", "patch cm settings --type merge -p '{\"immutable\":true}'"),
    Case("config-immutable-change", 'patch cm settings --type merge -p \'{"data":{"x":"y"}}\'', code=1),
    Case("config-many", "get cm,secret,sa -o name", compare=False, why="generated names"),
    Case("sort-by", "get svc --sort-by=.metadata.name -o name"),
    Case("custom-columns", "get deploy -o custom-columns=N:.metadata.name,R:.spec.replicas"),
    Case("describe-namespace", "describe ns default"),
    Case("get-raw-table", "get --raw /api/v1/nodes?limit=500", compare=False, why="order of fields"),
    Case("rollout-history", "rollout history deploy/web"),
    Case("rollout-undo", "rollout undo deploy/web", code=1),
    Case("api-resources-core", "api-resources --api-group= -o name", compare=False, why="the real one serves more"),
    Case("drain-dry", "drain n1 --dry-run=server"),
    Case("node-delete", "delete node n1"),
    Case("delete-foreground", "delete deploy shop --cascade=foreground --timeout=20s"),
    Case("delete-orphan", "delete deploy web --cascade=orphan --timeout=20s"),
    Case("delete-selector", "delete cm -l tier=back", compare=False, why="a generated name"),
    Case("delete-ns", "delete ns lab --timeout=30s"),
    Case("ns-gone", "get ns lab", code=1),
    Case("events", "events", compare=False, why="what happened"),
    Case("top", "top nodes", code=1),
    Case("logs", "logs nothing", code=1),
    Case("cluster-info", "cluster-info", compare=False, why="addresses", has=("control plane",)),
    Case("get-nodes", "get nodes"),
    Case(
        "get-cs-list",
        "get --raw /apis/rbac.authorization.k8s.io/v1/clusterroles?limit=1",
        compare=False,
        why="a token",
        has=("continue",),
    ),
    Case(
        "bad-raw-create",
        "create --raw /api/v1/namespaces/default/configmaps -f -",
        stdin="nonsense",
        code=1,
        compare=False,
        why="the parser's own words",
    ),
    Case(
        "raw-wrong-kind",
        "create --raw /api/v1/namespaces/default/configmaps -f -",
        stdin='{"kind":"Pod","apiVersion":"v1"}',
        code=1,
    ),
    Case("raw-bad-limit", "get --raw /api/v1/namespaces/default/configmaps?limit=x", code=1),
    Case("raw-bad-version", "get --raw /api/v1/namespaces/default/configmaps?resourceVersion=x", code=1),
    Case("raw-bad-continue", "get --raw /api/v1/namespaces/default/configmaps?continue=x", code=1),
    Case("raw-unknown-resource", "get --raw /apis/apps/v1/unicorns", code=1),
    Case("raw-unknown-version", "get --raw /apis/apps/v9/deployments", code=1),
    Case(
        "delete-uid-precondition",
        "delete --raw /api/v1/namespaces/default/secrets/keys -f -",
        stdin='{"kind":"DeleteOptions","apiVersion":"v1","preconditions":{"uid":"nope"}}',
        code=1,
    ),
    Case(
        "delete-bad-policy",
        "delete --raw /api/v1/namespaces/default/secrets/keys -f -",
        stdin='{"kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"Maybe"}',
        code=1,
    ),
    Case("delete-secret-raw", "delete --raw /api/v1/namespaces/default/secrets/keys"),
)
